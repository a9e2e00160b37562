# Tables and figures: a row for everything the config asks for.

FIGURES = multiext("results/figures/accuracy", ".pdf", ".svg", ".png")


def settings_of_the_table():
    """Every setting the config asks for, with the files it comes from, in the order of the config."""
    return [
        {
            "benchmark": benchmark,
            "backbone": backbone,
            "published_backbone": CONFIG.backbones[backbone].published_as,
            "method": method,
            "way": way,
            "shot": shot,
            "seeds": seeds(method),
            "predictions": expand(
                rules.evaluate.output.predictions,
                benchmark=benchmark,
                backbone=backbone,
                method=method,
                way=way,
                shot=shot,
                seed=seeds(method),
            ),
        }
        for benchmark in CONFIG.run.benchmarks
        for backbone in CONFIG.run.backbones
        for way in CONFIG.run.ways
        for shot in CONFIG.shots(benchmark)
        for method in CONFIG.run.methods
    ]


rule write_tables:
    input:
        predictions=[
            path for row in settings_of_the_table() for path in row["predictions"]
        ],
        published=ROOT / "fsar/results/published.csv",
        code=code("write_tables.py"),
    output:
        csv="results/table.csv",
        markdown="results/table.md",
    params:
        settings=settings_of_the_table(),
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    log:
        "logs/write_tables.log",
    benchmark:
        "logs/write_tables.tsv"
    conda:
        "../envs/results.yaml"
    script:
        "../workflow_scripts/write_tables.py"


rule draw_accuracy:
    input:
        table="results/table.csv",
        code=code("draw_accuracy.py"),
    output:
        FIGURES,
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    log:
        "logs/draw_accuracy.log",
    benchmark:
        "logs/draw_accuracy.tsv"
    conda:
        "../envs/results.yaml"
    script:
        "../workflow_scripts/draw_accuracy.py"
