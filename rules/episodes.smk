# Manifest + index → stored episodes, the same for every method.


rule draw_episodes:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        index="data/{benchmark}/frames/index.parquet",
    output:
        episodes="data/{benchmark}/episodes/{split}-{way}way-{shot}shot.parquet",
    log:
        "logs/draw_episodes/{benchmark}-{split}-{way}way-{shot}shot.log",
    benchmark:
        "logs/draw_episodes/{benchmark}-{split}-{way}way-{shot}shot.tsv"
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("draw_episodes.py"),
        queries=of_benchmark("episodes", "queries"),
        episodes=lambda wildcards: CONFIG.settings(wildcards.benchmark, "episodes")[wildcards.split],
        seed=CONFIG.seed,
    script:
        "../workflow_scripts/draw_episodes.py"
