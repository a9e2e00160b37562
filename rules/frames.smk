# Manifest → frame store: a fixed number of shards, one decoding job each, and one index of all.


rule decode_frames:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        code=code("decode_frames.py"),
    output:
        arrow="data/{benchmark}/frames/shard-{shard}.arrow",
        index="data/{benchmark}/frames/shard-{shard}.parquet",
    log:
        "logs/decode_frames/{benchmark}-{shard}.log",
    benchmark:
        "logs/decode_frames/{benchmark}-{shard}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime="8h",
    params:
        # How many failures are too many is decided when the shards are gathered.
        frames=lambda wildcards: {
            key: value
            for key, value in CONFIG.settings(wildcards.benchmark, "frames").items()
            if key != "max_failed"
        },
    script:
        "../workflow_scripts/decode_frames.py"


rule gather_index:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        indexes=shard_files("parquet"),
        code=code("gather_index.py"),
    output:
        index="data/{benchmark}/frames/index.parquet",
    log:
        "logs/gather_index/{benchmark}.log",
    benchmark:
        "logs/gather_index/{benchmark}.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        max_failed=of_benchmark("frames", "max_failed"),
    script:
        "../workflow_scripts/gather_index.py"
