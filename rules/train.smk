# Training: one job per benchmark × backbone × model × training shot × seed. Every test shot uses the same model, and so do
# methods that differ only in how they decide. Heads on a backbone as it is are trained on features, which are encoded once.


rule encode_training:
    input:
        manifest=manifest,
        index=index,
        shards=shards,
        backbone=PLAN.backbone_files,
    output:
        train="results/features/{benchmark}/{backbone}/{model}/for_training/train.safetensors",
        val="results/features/{benchmark}/{backbone}/{model}/for_training/val.safetensors",
    log:
        "logs/encode_training/{benchmark}-{backbone}-{model}.log",
    benchmark:
        "benchmarks/encode_training/{benchmark}-{backbone}-{model}.tsv"
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=memory_to_encode_training,
        runtime=lambda wildcards, attempt: f"{4 * attempt}h",
        gpu=gpus,
    params:
        **decided_by("encode_training"),
        code=with_model("encode_training.py", encoder_files_of_training),
    script:
        "../workflow_scripts/encode_training.py"


rule train_model:
    input:
        manifest=manifest,
        index=index,
        shards=shards,
        episodes=validation_episodes,
        backbone=PLAN.backbone_files,
        descriptions=PLAN.training_descriptions,
        features=PLAN.training_features,
    output:
        weights="results/models/{benchmark}/{backbone}/{model}/shot{shot}-seed{seed}/model.safetensors",
        metrics="results/models/{benchmark}/{backbone}/{model}/shot{shot}-seed{seed}/metrics.parquet",
        training="results/models/{benchmark}/{backbone}/{model}/shot{shot}-seed{seed}/training.json",
    log:
        "logs/train_model/{benchmark}-{backbone}-{model}-shot{shot}-seed{seed}.log",
    benchmark:
        "benchmarks/train_model/{benchmark}-{backbone}-{model}-shot{shot}-seed{seed}.tsv"
    conda:
        "../envs/train.yaml"
    threads: threads_of_a_model
    resources:
        mem_mb=lambda wildcards, attempt: 16000 * attempt,
        runtime=lambda wildcards, attempt: f"{attempt}d",
        gpu=gpus_of_a_training,
        # Of a training on several nodes, as SLURM takes them; none on one.
        nodes=resources.across_nodes(CONFIG, "nodes"),
        tasks=resources.across_nodes(CONFIG, "tasks"),
        mpi=resources.across_nodes(CONFIG, "mpi"),
        cpus_per_task=resources.across_nodes(CONFIG, "cpus_per_task"),
        tasks_per_gpu=resources.across_nodes(CONFIG, "tasks_per_gpu"),
        slurm_extra=resources.across_nodes(CONFIG, "slurm_extra"),
    params:
        **decided_by("train_model"),
        code=with_model("train_model.py"),
        # Not an output: Snakemake deletes the outputs of a job that fails, and this is what it goes on from.
        checkpoint="results/checkpoints/{benchmark}/{backbone}/{model}-shot{shot}-seed{seed}.pt",
        curves="{benchmark}/{backbone}/{model}-shot{shot}-seed{seed}",  # below logs/{training.logger}/
    script:
        "../workflow_scripts/train_model.py"


rule write_model_card:
    input:
        training="results/models/{benchmark}/{backbone}/{model}/shot{shot}-seed{seed}/training.json",
        predictions=lambda wildcards: rows.predictions_of(rows_of_a_model(wildcards)),
        episodes=lambda wildcards: rows.episodes_of(rows_of_a_model(wildcards)),
        manifests=lambda wildcards: rows.manifests_of(rows_of_a_model(wildcards)),
        counts=lambda wildcards: rows.counts_of(rows_of_a_model(wildcards)),
        published=project_file("fsar/results/published.csv"),
    output:
        card=report(
            "results/models/{benchmark}/{backbone}/{model}/shot{shot}-seed{seed}/README.md",
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
        "benchmarks/write_model_card/{benchmark}-{backbone}-{model}-shot{shot}-seed{seed}.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        code=code("write_model_card.py"),
        settings=lambda wildcards: Rows("rows", rows_of_a_model(wildcards)),
        method=method_of_a_model,
        licences=licences,
        saw=lambda wildcards: Values("saw", CONFIG.backbones[wildcards.backbone].saw),
    script:
        "../workflow_scripts/write_model_card.py"
