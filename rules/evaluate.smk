# Features once per test video (and per validation video, where a test chooses by these), then every test of a model on them: two steps, one job of a cluster. Where features depend on
# the episode, both are one step, and the episodes are divided over as many jobs as the config says. `training` is the seed
# (and shot) of the training whose weights are tested, or says that the model has none of ours: fsar/plan/paths.py.


rule encode_features:
    input:
        manifest=manifest,
        index=index,
        shards=shards,
        backbone=PLAN.backbone_files,
        descriptions=PLAN.descriptions,
        trained=PLAN.trained_weights,
    output:
        features="results/features/{benchmark}/{backbone}/{model}/{training}/{split}.safetensors",
    log:
        "logs/encode_features/{benchmark}-{backbone}-{model}-{training}-{split}.log",
    # Shared between checkouts with --cache; Snakemake measures no rule that it may take from there, so the script does.
    cache: "omit-software"
    group:
        "evaluation-{benchmark}-{backbone}-{model}-{training}"
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
        runtime=lambda wildcards, attempt: f"{4 * attempt}h",
        gpu=gpus,
    params:
        **decided_by("encode_features"),
        code=with_model("encode_features.py", encoder_files),
    script:
        "../workflow_scripts/encode_features.py"


rule evaluate_model:
    input:
        features=PLAN.features,
        trained=PLAN.trained_weights,
        episodes=PLAN.test_episodes,
        # What the features are to be made from.
        manifest=manifest,
        index=index,
        backbone=PLAN.backbone_files,
        descriptions=encoder_descriptions,
        encoder=encoder_weights,
        # Where validation classes choose how much class names count.
        validation_features=PLAN.validation_features,
        validation_episodes=PLAN.validation_episodes,
        validation_manifest=manifest_to_choose,
        validation_index=index_to_choose,
    output:
        predictions="results/predictions/{benchmark}/{backbone}/{model}/{training}.parquet",
    log:
        "logs/evaluate_model/{benchmark}-{backbone}-{model}-{training}.log",
    benchmark:
        "benchmarks/evaluate_model/{benchmark}-{backbone}-{model}-{training}.tsv"
    wildcard_constraints:
        model=paths.one_of(m for m in MODELS if not MODELS[m].across_videos),
    group:
        "evaluation-{benchmark}-{backbone}-{model}-{training}"
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * resources.memory_of_tests(PLAN, wildcards, MODELS[wildcards.model].settings.tests_mb),
        runtime=lambda wildcards, attempt: f"{4 * attempt}h",
        gpu=gpus,
    params:
        **decided_by("evaluate_model"),
        code=with_model("evaluate_model.py"),
        tests=tests,
    script:
        "../workflow_scripts/evaluate_model.py"


rule evaluate_part:
    input:
        manifest=manifest,
        index=index,
        shards=shards,
        backbone=PLAN.backbone_files,
        descriptions=PLAN.descriptions,
        trained=PLAN.trained_weights,
        episodes=PLAN.test_episodes,
    output:
        predictions=temp(
            "results/predictions/{benchmark}/{backbone}/{model}/{training}/part{part}of{parts}.parquet"
        ),
    log:
        "logs/evaluate_part/{benchmark}-{backbone}-{model}-{training}-{part}of{parts}.log",
    benchmark:
        "benchmarks/evaluate_part/{benchmark}-{backbone}-{model}-{training}-{part}of{parts}.tsv"
    wildcard_constraints:
        model=paths.one_of(m for m in MODELS if MODELS[m].across_videos),
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=lambda wildcards, attempt: attempt
        * resources.memory_of_tests(PLAN, wildcards, 32000),
        runtime=lambda wildcards, attempt: f"{4 * attempt}h",
        gpu=gpus,
    params:
        **decided_by("evaluate_part"),
        code=with_model("evaluate_part.py"),
        tests=tests,
    script:
        "../workflow_scripts/evaluate_part.py"


rule gather_predictions:
    input:
        parts=parts_of_tests,
        episodes=PLAN.test_episodes,
    output:
        predictions="results/predictions/{benchmark}/{backbone}/{model}/{training}.parquet",
    log:
        "logs/gather_predictions/{benchmark}-{backbone}-{model}-{training}.log",
    benchmark:
        "benchmarks/gather_predictions/{benchmark}-{backbone}-{model}-{training}.tsv"
    wildcard_constraints:
        model=paths.one_of(m for m in MODELS if MODELS[m].across_videos),
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 8000 * attempt,
    params:
        code=code("gather_predictions.py"),
        tests=tests,
    script:
        "../workflow_scripts/gather_predictions.py"
