# Training: one job per benchmark × backbone × method × training shot × seed; every test shot uses the same model.


rule train_model:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        index="data/{benchmark}/frames/index.parquet",
        shards=shard_files("arrow"),
        episodes=validation_episodes,
        weights=backbone_weights,
        code=code("train_model.py"),
    output:
        weights=f"{MODEL}/model.safetensors",
        metrics=f"{MODEL}/metrics.parquet",
        training=f"{MODEL}/training.json",
    log:
        "logs/train_model/{benchmark}-{backbone}-{method}-shot{shot}-seed{seed}.log",
    benchmark:
        "logs/train_model/{benchmark}-{backbone}-{method}-shot{shot}-seed{seed}.tsv"
    conda:
        "../envs/train.yaml"
    threads: training_threads
    resources:
        mem_mb=16000,
        runtime="1d",
        gpu=gpus,
    params:
        backbone=backbone_settings,
        sampling=of_benchmark("sampling"),
        head=of_benchmark("head"),
        training=of_benchmark("training"),
        data_seed=CONFIG.seed,
        device=CONFIG.device,
        # Not an output: Snakemake deletes the outputs of a job that fails, and this is what it goes on from.
        checkpoints="results/checkpoints",
    script:
        "../workflow_scripts/train_model.py"
