# Sources → manifest. Everything special about a benchmark ends here, in data/{benchmark}/manifest.parquet.


rule render_videos:
    output:
        videos=directory(paths.RENDERED),
        listing=f"{paths.RENDERED}.csv",
    log:
        "logs/render_videos/{benchmark}-part{part}.log",
    benchmark:
        "logs/render_videos/{benchmark}-part{part}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(30, "m"),
    params:
        code=code("render_videos.py"),
        source=section("source", PLAN.rendered),
        seed=CONFIG.seed,
    script:
        "../workflow_scripts/render_videos.py"


rule render_stills:
    output:
        stills=paths.STILLS,
    log:
        "logs/render_stills/{small_clip}.log",
    benchmark:
        "logs/render_stills/{small_clip}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10, "m"),
    params:
        code=code("render_stills.py"),
        # Snakemake compares the values of parameters without their names, so numbers go together. 64 pixels are what
        # the small CLIP looks at.
        rendered=lambda wildcards: {
            "stills": CONFIG.small_clips[wildcards.small_clip].stills,
            "size": 64,
            "seed": CONFIG.small_clips[wildcards.small_clip].seed,
        },
    script:
        "../workflow_scripts/render_stills.py"


# The weights land where config.yaml's backbone `small-clip` looks for a local weights file, and others by their names.
rule train_small_clip:
    input:
        stills=paths.STILLS,
        architecture=lambda wildcards: architecture_files(
            CONFIG.small_clips[wildcards.small_clip].model
        ),
    output:
        weights=paths.SMALL_CLIP,
    log:
        "logs/train_small_clip/{small_clip}.log",
    benchmark:
        "logs/train_small_clip/{small_clip}.tsv"
    priority: 10  # everything trained waits for it
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30, "m"),
    params:
        code=code("train_small_clip.py"),
        small_clip=lambda wildcards: CONFIG.small_clips[wildcards.small_clip].decisive(
            "train_small_clip"
        ),
    script:
        "../workflow_scripts/train_small_clip.py"


rule write_manifest:
    input:
        listings=asked(PLAN.listings),
    output:
        manifest=paths.MANIFEST,
    log:
        "logs/write_manifest/{benchmark}.log",
    benchmark:
        "logs/write_manifest/{benchmark}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_manifest.py"),
    script:
        "../workflow_scripts/write_manifest.py"
