# Manifest → frame store: a fixed number of shards, one decoding job each, and one index of all.


rule decode_frames:
    input:
        videos=videos_to_decode,
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
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(8, "h"),
    params:
        code=code("decode_frames.py"),
        shard=lambda wildcards: int(wildcards.shard),  # a cache knows parameters, but no wildcards
        # How many failures are too many is decided when the shards are gathered.
        frames=lambda wildcards: {
            key: value
            for key, value in CONFIG.settings(wildcards.benchmark, "frames").items()
            if key != "max_failed"
        },
        videos=videos_of_shard,
    script:
        "../workflow_scripts/decode_frames.py"


rule gather_index:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        indexes=shard_files("parquet"),
    output:
        index="data/{benchmark}/frames/index.parquet",
        checksums="data/{benchmark}/frames/index.sha256",
    log:
        "logs/gather_index/{benchmark}.log",
    benchmark:
        "logs/gather_index/{benchmark}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("gather_index.py"),
        max_failed=of_benchmark("frames", "max_failed"),
    script:
        "../workflow_scripts/gather_index.py"


rule report_data:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        index="data/{benchmark}/frames/index.parquet",
        missing=missing_videos,
        shards=shard_files("arrow"),
    output:
        page=report(
            "results/data/{benchmark}.html",
            caption="../report/data.rst",
            category="Data",
            labels={"benchmark": "{benchmark}"},
        ),
        videos="results/data/{benchmark}.parquet",
        sheet="results/data/{benchmark}.jpg",
        counts="results/data/{benchmark}.json",
    log:
        "logs/report_data/{benchmark}.log",
    benchmark:
        "logs/report_data/{benchmark}.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30, "m"),
    params:
        code=code("report_data.py"),
        seed=CONFIG.seed,
    script:
        "../workflow_scripts/report_data.py"


# Looks at everything that is there, whenever it is asked for: `snakemake verify`. It has no benchmark, because Snakemake
# would take that file for its output and a second check for done.
rule verify:
    log:
        "logs/verify.log",
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(1, "d"),
    params:
        frames={benchmark: CONFIG.settings(benchmark, "frames") for benchmark in BASES},
    script:
        "../workflow_scripts/verify.py"


localrules:
    verify,
