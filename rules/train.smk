# Training: one job per benchmark × backbone × model × training shot × seed. Every test shot uses the same model, and so do
# methods that differ only in how they decide.


rule train_model:
    input:
        manifest=of_base("data/{base}/manifest.parquet"),
        index=of_base("data/{base}/frames/index.parquet"),
        shards=shard_files("arrow"),
        episodes=validation_episodes,
        weights=backbone_weights,
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
        mem_mb=growing(16000),
        runtime=growing(1, "d"),
        gpu=training_gpus,
    params:
        code=model_code("train_model.py"),
        components=components,
        backbone=backbone_settings,
        sampling=of_benchmark("sampling"),
        head=trained_head,
        training=decisive_training,
        data_seed=CONFIG.seed,
        device=CONFIG.device,
        # Not an output: Snakemake deletes the outputs of a job that fails, and this is what it goes on from.
        checkpoint="results/checkpoints/{benchmark}/{backbone}/{method}-shot{shot}-seed{seed}.pt",
        tensorboard="logs/tensorboard/{benchmark}/{backbone}/{method}-shot{shot}-seed{seed}",
    script:
        "../workflow_scripts/train_model.py"


rule write_model_card:
    input:
        training=f"{MODEL}/training.json",
        predictions=predictions_of_a_model,
        counts=of_base("results/data/{base}.json"),
    output:
        card=report(
            f"{MODEL}/README.md",
            caption="../report/card.rst",
            category="Models",
            labels={
                "benchmark": "{benchmark}",
                "backbone": "{backbone}",
                "model": "{method}",
                "seed": "{seed}",
            },
        ),
    log:
        "logs/write_model_card/{benchmark}-{backbone}-{method}-shot{shot}-seed{seed}.log",
    benchmark:
        "logs/write_model_card/{benchmark}-{backbone}-{method}-shot{shot}-seed{seed}.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10, "m"),
    params:
        code=code("write_model_card.py"),
        settings=settings_of_a_model,
        title=lambda wildcards: METHODS[wildcards.method].title,
        citation=lambda wildcards: METHODS[wildcards.method].citation,
        data_licence=lambda wildcards: CONFIG.benchmarks[wildcards.benchmark].licence,
        weights_licence=lambda wildcards: CONFIG.backbones[wildcards.backbone].licence,
    script:
        "../workflow_scripts/write_model_card.py"
