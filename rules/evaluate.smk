# Features once per test video, then every test of a model on them: two steps, one job of a cluster.


rule encode_features:
    input:
        manifest=asked(PLAN.of_base(paths.MANIFEST)),
        index=asked(PLAN.of_base(paths.INDEX)),
        shards=asked(PLAN.shards(".arrow")),
        backbone=asked(PLAN.backbone_files),
        descriptions=asked(PLAN.feature_descriptions),
        trained=asked(PLAN.trained_weights),
    output:
        features=paths.FEATURES,
    log:
        f"{paths.FEATURES_LOG}.log",
    # Shared between checkouts with --cache; Snakemake measures no rule that it may take from there, so the script does.
    cache: "omit-software"
    group:
        asked(PLAN.evaluation)
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=growing(8000),
        runtime=growing(4, "h"),
        gpu=gpus,
    params:
        code=with_model("encode_features.py", encoder_files),
        backbone=lambda wildcards: CONFIG.backbones[wildcards.backbone].decisive("encode_features"),
        sampling=asked(PLAN.decisive("sampling", "encode_features")),
        text=asked(PLAN.feature_text),
        head=asked(PLAN.encoding_head),
        training=asked(PLAN.decisive("training", "encode_features")),
        data_seed=CONFIG.seed,
    script:
        "../workflow_scripts/encode_features.py"


rule evaluate_model:
    input:
        features=asked(PLAN.features),
        trained=asked(PLAN.trained_weights),
        episodes=asked(PLAN.test_episodes),
    output:
        predictions=paths.PREDICTIONS,
    log:
        f"{paths.TESTS_LOG}.log",
    benchmark:
        f"{paths.TESTS_LOG}.tsv"
    group:
        asked(PLAN.evaluation)
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=memory_of_tests,
        runtime=growing(4, "h"),
        gpu=gpus,
    params:
        code=with_model("evaluate_model.py"),
        components=asked(PLAN.components),
        head=asked(PLAN.decisive("head", "evaluate_model")),
        tests=asked(PLAN.tests),
    script:
        "../workflow_scripts/evaluate_model.py"
