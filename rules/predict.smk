# Labels for a user's own clips, by examples of their classes: nothing is trained for them.

from fsar.plan.predict import PlannedPredictions

PREDICTIONS = PlannedPredictions(PLAN)


rule predict_clips:
    input:
        # A list that is only written anew, or a clip that is only listed elsewhere, changes the parameter `videos` or nothing.
        lists=lambda wildcards: [ancient(path) for path in PREDICTIONS.lists(wildcards.prediction)],
        model=asked(PREDICTIONS.model_files),
    output:
        csv=f"{paths.PREDICTED}.csv",
        page=report(
            f"{paths.PREDICTED}.html",
            caption="../report/predict.rst",
            category="Predictions",
            labels={"clips": "{prediction}"},
        ),
    log:
        "logs/predict_clips/{prediction}.log",
    benchmark:
        "logs/predict_clips/{prediction}.tsv"
    conda:
        "../envs/train.yaml"
    threads: lambda wildcards: CONFIG.threads_to_predict(wildcards.prediction)
    resources:
        mem_mb=growing(8000),
        runtime=growing(4, "h"),
        gpu=gpus,
    params:
        code=lambda wildcards: code(
            "predict_clips.py", *PREDICTIONS.files_by_name(wildcards.prediction)
        ),
        videos=asked(PREDICTIONS.videos),
        support=lambda wildcards: CONFIG.predict[wildcards.prediction].support,
        clips=lambda wildcards: CONFIG.predict[wildcards.prediction].clips,
        frames=lambda wildcards: CONFIG.predict[wildcards.prediction].frames,
        model=section("model", PREDICTIONS.model),
        facts=asked(PREDICTIONS.facts),
    script:
        "../workflow_scripts/predict_clips.py"
