# Labels for a user's own clips, by examples of their classes: nothing is trained for them.

from fsar.plan.predict import PlannedPredictions

PREDICTIONS = PlannedPredictions(PLAN)


rule predict_clips:
    input:
        lists=lists_of_clips,
        model=lambda wildcards: PREDICTIONS.model_files(wildcards.prediction),
    output:
        csv="results/predict/{prediction}.csv",
        page=report(
            "results/predict/{prediction}.html",
            caption="../report/predict.rst",
            category="Predictions",
            labels={"clips": "{prediction}"},
        ),
    log:
        "logs/predict_clips/{prediction}.log",
    benchmark:
        "benchmarks/predict_clips/{prediction}.tsv"
    conda:
        "../envs/train.yaml"
    threads: lambda wildcards: CONFIG.threads_to_predict(wildcards.prediction)
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: f"{4 * attempt}h",
        gpu=gpus,
    params:
        **by_key(lambda wildcards: PREDICTIONS.model(wildcards.prediction)),
        facts=lambda wildcards: Values("facts", PREDICTIONS.facts(wildcards.prediction)),
        code=lambda wildcards: code(
            "predict_clips.py", *PREDICTIONS.files_by_name(wildcards.prediction)
        ),
        videos=lambda wildcards: PREDICTIONS.videos(wildcards.prediction),
        support=lambda wildcards: CONFIG.predict[wildcards.prediction].support,
        clips=lambda wildcards: CONFIG.predict[wildcards.prediction].clips,
        frames=lambda wildcards: CONFIG.predict[wildcards.prediction].frames,
        unknown=lambda wildcards: CONFIG.predict[wildcards.prediction].unknown,
        motion=lambda wildcards: CONFIG.predict[wildcards.prediction].motion,
    script:
        "../workflow_scripts/predict_clips.py"
