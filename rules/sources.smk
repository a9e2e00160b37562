# Sources → manifest. Everything special about a benchmark ends here, in data/{benchmark}/manifest.parquet.


from fsar.config import Counts, DemoSource


rule render_videos:
    output:
        videos=directory("data/{benchmark}/videos/part{part}"),
        listing="data/{benchmark}/videos/part{part}.csv",
    log:
        "logs/render_videos/{benchmark}-part{part}.log",
    benchmark:
        "benchmarks/render_videos/{benchmark}-part{part}.tsv"
    conda:
        "../envs/data.yaml"
    params:
        **by_key(
            lambda wildcards: {"source": source_of(wildcards).decisive("render_videos")},
            DemoSource,
            Counts,
            Counts,
        ),
        code=code("render_videos.py"),
        seed=Keyed("seed", CONFIG.seed),
    script:
        "../workflow_scripts/render_videos.py"


rule render_stills:
    output:
        stills="data/small_clip/{small_clip}.parquet",
    log:
        "logs/render_stills/{small_clip}.log",
    benchmark:
        "benchmarks/render_stills/{small_clip}.tsv"
    priority: 10  # as what learns from them, before the videos are rendered
    conda:
        "../envs/data.yaml"
    params:
        **small_clip_decided_by("render_stills"),
        code=code("render_stills.py"),
    script:
        "../workflow_scripts/render_stills.py"


# The weights land where config.yaml's backbone `small-clip` looks for a local weights file, and others by their names.
rule train_small_clip:
    input:
        stills="data/small_clip/{small_clip}.parquet",
        architecture=architecture_of_a_small_clip,
    output:
        weights="data/small_clip/{small_clip}.safetensors",
    log:
        "logs/train_small_clip/{small_clip}.log",
    benchmark:
        "benchmarks/train_small_clip/{small_clip}.tsv"
    priority: 10  # everything trained waits for it
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        **small_clip_decided_by("train_small_clip"),
        code=code("train_small_clip.py"),
    script:
        "../workflow_scripts/train_small_clip.py"


# So do those of its small encoders of video.
rule train_small_video:
    input:
        architecture=architecture_of_a_small_video,
    output:
        weights="data/small_video/{small_video}.safetensors",
    log:
        "logs/train_small_video/{small_video}.log",
    benchmark:
        "benchmarks/train_small_video/{small_video}.tsv"
    priority: 10  # everything trained waits for it
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        **small_video_decided_by("train_small_video"),
        code=code("train_small_video.py"),
    script:
        "../workflow_scripts/train_small_video.py"


rule write_manifest:
    input:
        listings=listings,
    output:
        manifest="data/{benchmark}/manifest.parquet",
    log:
        "logs/write_manifest/{benchmark}.log",
    benchmark:
        "benchmarks/write_manifest/{benchmark}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code("write_manifest.py"),
    script:
        "../workflow_scripts/write_manifest.py"
