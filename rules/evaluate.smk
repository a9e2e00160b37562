# Features once per test video, then every stored episode on the features.


rule encode_features:
    input:
        manifest=of_base("data/{base}/manifest.parquet"),
        index=of_base("data/{base}/frames/index.parquet"),
        shards=shard_files("arrow"),
        weights=backbone_weights,
        trained=trained_model,
    output:
        features=FEATURES,
    log:
        "logs/encode_features/{benchmark}-{backbone}-{method}-seed{seed}.log",
    # Shared between checkouts with --cache; Snakemake measures no rule that it may take from there, so the script does.
    cache: "omit-software"
    group:
        evaluation_of_a_model
    conda:
        "../envs/train.yaml"
    threads: training_threads
    resources:
        mem_mb=growing(8000),
        runtime=growing(4, "h"),
        gpu=gpus,
    params:
        code=model_code("encode_features.py"),
        components=components,
        backbone=backbone_settings,
        sampling=of_benchmark("sampling"),
        head=trained_head,
        data_seed=CONFIG.seed,
        device=CONFIG.device,
        threads=training_threads,
    script:
        "../workflow_scripts/encode_features.py"


rule evaluate:
    input:
        features=features,
        trained=trained_model,
        episodes=of_base("data/{base}/episodes/test-{way}way-{shot}shot.parquet"),
    output:
        predictions=PREDICTIONS,
    log:
        "logs/evaluate/{benchmark}-{backbone}-{method}-seed{seed}-{way}way-{shot}shot.log",
    benchmark:
        "logs/evaluate/{benchmark}-{backbone}-{method}-seed{seed}-{way}way-{shot}shot.tsv"
    group:
        evaluation_of_a_model
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(2, "h"),
    params:
        code=model_code("evaluate.py"),
        components=components,
        decides_by=lambda wildcards: METHODS[wildcards.method].decides_by,
        head=of_benchmark("head"),
    script:
        "../workflow_scripts/evaluate.py"
