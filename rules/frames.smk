# Manifest → frame store: a fixed number of shards, one decoding job each, and one index of all.


rule decode_frames:
    input:
        # Not the manifest: made anew, it would not say which shards it concerns. The parameter `videos` does.
        made=asked(PLAN.makers_of_videos),
        listed=lambda wildcards: [
            ancient(path) for path in PLAN.lists_of_videos(wildcards.benchmark)
        ],
    output:
        multiext(paths.SHARD, arrow=".arrow", index=".parquet", checksums=".sha256"),
    log:
        f"{paths.DECODE_LOG}.log",
    # Shared between checkouts with --cache; Snakemake measures no rule that it may take from there, so the script does.
    cache: "omit-software"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(8, "h"),
    params:
        code=with_decoder("decode_frames.py"),
        shard=lambda wildcards: int(wildcards.shard),  # a cache knows parameters, but no wildcards
        frames=section("frames", PLAN.decisive("frames", "decode_frames")),
        videos=lambda wildcards: PLAN.videos.of_shard(wildcards.benchmark, int(wildcards.shard)),
    script:
        "../workflow_scripts/decode_frames.py"


rule gather_index:
    input:
        manifest=paths.MANIFEST,
        indexes=asked(PLAN.shards(".parquet")),
    output:
        index=paths.INDEX,
        checksums="data/{benchmark}/frames/index.sha256",
    log:
        "logs/gather_index/{benchmark}.log",
    benchmark:
        "logs/gather_index/{benchmark}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("gather_index.py"),
        max_failed=lambda wildcards: CONFIG.settings(wildcards.benchmark, "frames").max_failed,
    script:
        "../workflow_scripts/gather_index.py"


rule report_data:
    input:
        manifest=paths.MANIFEST,
        index=paths.INDEX,
        missing=asked(PLAN.missing),
        shards=asked(PLAN.shards(".arrow")),
    output:
        page=report(
            f"{paths.DATA_REPORT}.html",
            caption="../report/data.rst",
            category="Data",
            labels={"benchmark": "{benchmark}"},
        ),
        videos=f"{paths.DATA_REPORT}.parquet",
        strips=paths.STRIPS,
        counts=paths.COUNTS,
    log:
        "logs/report_data/{benchmark}.log",
    benchmark:
        "logs/report_data/{benchmark}.tsv"
    localrule: True
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
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(1, "d"),
    params:
        frames={base: CONFIG.settings(base, "frames").model_dump() for base in PLAN.bases},
    script:
        "../workflow_scripts/verify.py"
