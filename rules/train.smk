# Training: one job per benchmark × backbone × model × training shot × seed. Every test shot uses the same model, and so do
# methods that differ only in how they decide.

from fsar.config import TrainingConfig
from fsar.plan.nodes import across_nodes


rule train_model:
    input:
        manifest=asked(PLAN.of_base(paths.MANIFEST)),
        index=asked(PLAN.of_base(paths.INDEX)),
        shards=asked(PLAN.shards(".arrow")),
        episodes=asked(PLAN.validation_episodes),
        backbone=asked(PLAN.backbone_files),
        descriptions=asked(PLAN.training_descriptions),
    output:
        weights=f"{paths.MODEL}/model.safetensors",
        metrics=f"{paths.MODEL}/metrics.parquet",
        training=f"{paths.MODEL}/training.json",
    log:
        f"{paths.TRAIN_LOG}.log",
    benchmark:
        f"{paths.TRAIN_LOG}.tsv"
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=growing(16000),
        runtime=growing(1, "d"),
        gpu=training_gpus,
        nodes=across_nodes(CONFIG, "nodes"),
        tasks=across_nodes(CONFIG, "tasks"),
        mpi=across_nodes(CONFIG, "mpi"),
        cpus_per_task=across_nodes(CONFIG, "cpus_per_task"),
        tasks_per_gpu=across_nodes(CONFIG, "tasks_per_gpu"),
        slurm_extra=across_nodes(CONFIG, "slurm_extra"),
    params:
        **by_key(
            "training",
            TrainingConfig,
            "train_model",
            asked(PLAN.decisive("training", "train_model")),
        ),
        code=with_model("train_model.py"),
        components=section("components", PLAN.components),
        facts=asked(PLAN.facts),
        backbone=section(
            "backbone", lambda backbone: CONFIG.backbones[backbone].decisive("train_model")
        ),
        sampling=section("sampling", PLAN.decisive("sampling", "train_model")),
        text=section("text", PLAN.decisive("text", "train_model")),
        head=section("head", PLAN.decisive("head", "train_model")),
        adapters=section("adapters", PLAN.decisive("adapters", "train_model")),
        data_seed=CONFIG.seed,
        # Not an output: Snakemake deletes the outputs of a job that fails, and this is what it goes on from.
        checkpoint=paths.CHECKPOINT,
        curves=paths.CURVES,
    script:
        "../workflow_scripts/train_model.py"


rule write_model_card:
    input:
        training=f"{paths.MODEL}/training.json",
        predictions=asked(PLAN.predictions_of_a_model),
        counts=asked(PLAN.of_base(paths.COUNTS)),
        published=project_file("fsar/results/published.csv"),
    output:
        card=report(
            f"{paths.MODEL}/README.md",
            caption="../report/card.rst",
            category="Models",
            labels={
                "benchmark": "{benchmark}",
                "backbone": "{backbone}",
                "model": "{model}",
                "seed": "{seed}",
            },
        ),
    log:
        "logs/write_model_card/{benchmark}-{backbone}-{model}-shot{shot}-seed{seed}.log",
    benchmark:
        "logs/write_model_card/{benchmark}-{backbone}-{model}-shot{shot}-seed{seed}.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10, "m"),
    params:
        code=code("write_model_card.py"),
        settings=lambda wildcards: Rows("rows", asked(PLAN.settings_of_a_model)(wildcards)),
        title=asked(PLAN.title),
        citation=asked(PLAN.citation),
        source=section("source", PLAN.source),
        licences=section("licences", PLAN.licences),
    script:
        "../workflow_scripts/write_model_card.py"
