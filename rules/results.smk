# Tables and figures: a row for everything the config asks for.


rule write_tables:
    input:
        predictions=[path for row in settings_of_the_table() for path in row["predictions"]],
        counts=expand("results/data/{benchmark}.json", benchmark=CONFIG.run.benchmarks),
        published=project_file("fsar/results/published.csv"),
        code=code("write_tables.py"),
    output:
        csv="results/table.csv",
        markdown="results/table.md",
    log:
        "logs/write_tables.log",
    benchmark:
        "logs/write_tables.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    params:
        settings=settings_of_the_table(),
    script:
        "../workflow_scripts/write_tables.py"


rule draw_accuracy:
    input:
        table="results/table.csv",
        code=code("draw_accuracy.py"),
    output:
        FIGURES,
    log:
        "logs/draw_accuracy.log",
    benchmark:
        "logs/draw_accuracy.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime="10m",
    script:
        "../workflow_scripts/draw_accuracy.py"
