# Manifest + index → stored episodes, the same for every method.


rule draw_episodes:
    input:
        manifest=paths.MANIFEST,
        index=paths.INDEX,
    output:
        episodes=paths.EPISODES,
    log:
        f"{paths.EPISODES_LOG}.log",
    benchmark:
        f"{paths.EPISODES_LOG}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("draw_episodes.py"),
        # Snakemake compares the values of parameters without their names, so numbers go together.
        drawn=asked(PLAN.episodes),
    script:
        "../workflow_scripts/draw_episodes.py"
