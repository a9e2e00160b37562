# Features once per test video, then every test of a model on them: two steps, one job of a cluster. Where features depend on the
# episode, both are one step, and the episodes are divided over as many jobs as the config says.


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
        backbone=section(
            "backbone", lambda backbone: CONFIG.backbones[backbone].decisive("encode_features")
        ),
        sampling=section("sampling", PLAN.decisive("sampling", "encode_features")),
        text=section("text", PLAN.feature_text),
        components=section("components", PLAN.encoding),
        facts=asked(PLAN.encoding_facts),
        head=section("head", PLAN.encoding_head),
        adapters=section("adapters", PLAN.decisive("adapters", "encode_features")),
        training=section("training", PLAN.decisive("training", "encode_features")),
        data_seed=CONFIG.seed,
    script:
        "../workflow_scripts/encode_features.py"


rule evaluate_model:
    input:
        features=asked(PLAN.features),
        trained=asked(PLAN.trained_weights),
        episodes=asked(PLAN.test_episodes),
        # What the features are to be made from.
        manifest=asked(PLAN.of_base(paths.MANIFEST)),
        index=asked(PLAN.of_base(paths.INDEX)),
        backbone=asked(PLAN.backbone_files),
        descriptions=asked(PLAN.encoder_descriptions),
        encoder=asked(PLAN.encoder_weights),
    output:
        predictions=paths.PREDICTIONS,
    log:
        f"{paths.TESTS_LOG}.log",
    benchmark:
        f"{paths.TESTS_LOG}.tsv"
    wildcard_constraints:
        model=paths.one_of(m for m in MODELS if not MODELS[m].across_videos),
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
        components=section("components", PLAN.components),
        facts=asked(PLAN.facts),
        head=section("head", PLAN.decisive("head", "evaluate_model")),
        tests=lambda wildcards: Rows("tests", asked(PLAN.tests)(wildcards)),
        encoded=section("features", PLAN.encoded_by),
    script:
        "../workflow_scripts/evaluate_model.py"


rule evaluate_part:
    input:
        manifest=asked(PLAN.of_base(paths.MANIFEST)),
        index=asked(PLAN.of_base(paths.INDEX)),
        shards=asked(PLAN.shards(".arrow")),
        backbone=asked(PLAN.backbone_files),
        descriptions=asked(PLAN.feature_descriptions),
        trained=asked(PLAN.trained_weights),
        episodes=asked(PLAN.test_episodes),
    output:
        predictions=temp(paths.PREDICTIONS_PART),
    log:
        f"{paths.PART_LOG}.log",
    benchmark:
        f"{paths.PART_LOG}.tsv"
    wildcard_constraints:
        model=paths.one_of(m for m in MODELS if MODELS[m].across_videos),
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=growing(32000),
        runtime=growing(4, "h"),
        gpu=gpus,
    params:
        code=with_model("evaluate_part.py"),
        components=section("components", PLAN.components),
        facts=asked(PLAN.facts),
        backbone=section(
            "backbone", lambda backbone: CONFIG.backbones[backbone].decisive("encode_features")
        ),
        sampling=section("sampling", PLAN.decisive("sampling", "encode_features")),
        text=section("text", PLAN.feature_text),
        head=section("head", PLAN.decisive("head", "evaluate_model")),
        adapters=section("adapters", PLAN.decisive("adapters", "evaluate_model")),
        training=section("training", PLAN.decisive("training", "encode_features")),
        tests=lambda wildcards: Rows("tests", asked(PLAN.tests)(wildcards)),
        data_seed=CONFIG.seed,
    script:
        "../workflow_scripts/evaluate_part.py"


rule gather_predictions:
    input:
        parts=asked(PLAN.parts_of_tests),
        episodes=asked(PLAN.test_episodes),
    output:
        predictions=paths.PREDICTIONS,
    log:
        "logs/gather_predictions/{benchmark}-{backbone}-{model}-{training}.log",
    benchmark:
        "logs/gather_predictions/{benchmark}-{backbone}-{model}-{training}.tsv"
    wildcard_constraints:
        model=paths.one_of(m for m in MODELS if MODELS[m].across_videos),
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(8000),
        runtime=growing(10, "m"),
    params:
        code=code("gather_predictions.py"),
        tests=lambda wildcards: Rows("tests", asked(PLAN.tests)(wildcards)),
    script:
        "../workflow_scripts/gather_predictions.py"
