# Manifest → frame store: a fixed number of shards, one decoding job each, and one index of all.


from fsar.config import FramesConfig


rule decode_frames:
    input:
        # Not the manifest: made anew, it would not say which shards it concerns. The parameter `videos` does.
        made=makers_of_videos,
        listed=lists_of_videos,
    output:
        multiext(
            "data/{benchmark}/frames/shard-{shard}",
            arrow=".arrow",
            index=".parquet",
            checksums=".sha256",
        ),
    log:
        "logs/decode_frames/{benchmark}-{shard}.log",
    # Shared between checkouts with --cache; Snakemake measures no rule that it may take from there, so the script does.
    cache: "omit-software"
    conda:
        "../envs/data.yaml"
    resources:
        runtime=lambda wildcards, attempt: f"{8 * attempt}h",
    params:
        **by_key(
            lambda wildcards: {"frames": frames_of(wildcards).decisive("decode_frames")},
            FramesConfig,
        ),
        code=lambda wildcards: code("decode_frames.py", decoder_file(frames_of(wildcards))),
        shard=lambda wildcards: int(wildcards.shard),  # a cache knows parameters, but no wildcards
        videos=lambda wildcards: PLAN.videos.of_shard(wildcards.benchmark, int(wildcards.shard)),
    script:
        "../workflow_scripts/decode_frames.py"


rule gather_index:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        indexes=indexes,
    output:
        index="data/{benchmark}/frames/index.parquet",
        checksums="data/{benchmark}/frames/index.sha256",
    log:
        "logs/gather_index/{benchmark}.log",
    benchmark:
        "benchmarks/gather_index/{benchmark}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code("gather_index.py"),
        max_failed=lambda wildcards: Keyed("frames.max_failed", frames_of(wildcards).max_failed),
    script:
        "../workflow_scripts/gather_index.py"


rule report_data:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        index="data/{benchmark}/frames/index.parquet",
        missing=missing_videos,
        shards=shards,
    output:
        page=report(
            "results/data/{benchmark}.html",
            caption="../report/data.rst",
            category="Data",
            labels={"benchmark": "{benchmark}"},
        ),
        videos="results/data/{benchmark}.parquet",
        strips="results/data/{benchmark}.strips.parquet",
        counts="results/data/{benchmark}.json",
    log:
        "logs/report_data/{benchmark}.log",
    benchmark:
        "benchmarks/report_data/{benchmark}.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        code=code("report_data.py"),
        seed=Keyed("seed", CONFIG.seed),
    script:
        "../workflow_scripts/report_data.py"


# Looks at everything that is there, whenever it is asked for: `snakemake verify`. It has no benchmark, because Snakemake
# would take that file for its output and a second check for done.
rule verify:
    log:
        "logs/verify.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    script:
        "../workflow_scripts/verify.py"
