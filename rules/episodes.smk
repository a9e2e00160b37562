# Manifest + index → stored episodes, the same for every method.


def drawn_by(wildcards):
    """What the episodes of a split are drawn by, beside their way and shot."""
    episodes = CONFIG.videos(wildcards.benchmark).episodes
    number = getattr(episodes, wildcards.split)
    return Values("drawn", {"queries": episodes.queries, "episodes": number, "seed": CONFIG.seed})


rule draw_episodes:
    input:
        manifest="data/{benchmark}/manifest.parquet",
        index="data/{benchmark}/frames/index.parquet",
    output:
        episodes="data/{benchmark}/episodes/{split}-{way}way-{shot}shot.parquet",
    log:
        "logs/draw_episodes/{benchmark}-{split}-{way}way-{shot}shot.log",
    benchmark:
        "benchmarks/draw_episodes/{benchmark}-{split}-{way}way-{shot}shot.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code("draw_episodes.py"),
        drawn=drawn_by,
    script:
        "../workflow_scripts/draw_episodes.py"
