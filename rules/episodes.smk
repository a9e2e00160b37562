# Manifest + index → stored episodes, the same for every method.


rule draw_episodes:
    input:
        manifest=manifest,
        index=index,
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
