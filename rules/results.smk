# Tables, statistics and figures: for everything the config asks for, and beside what was published.


rule write_tables:
    input:
        predictions=[path for row in SETTINGS for path in row["predictions"]],
        counts=expand("results/data/{benchmark}.json", benchmark=BASES),
        published=project_file("fsar/results/published.csv"),
    output:
        csv=report(
            "results/table.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "all settings", "format": "CSV"},
        ),
        markdown="results/table.md",
    log:
        "logs/write_tables.log",
    benchmark:
        "logs/write_tables.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_tables.py"),
        settings=SETTINGS,
        caption="Every setting that was run: mean accuracy over test episodes with its 95 % interval.",
    script:
        "../workflow_scripts/write_tables.py"


rule write_layouts:
    input:
        predictions=[path for row in SETTINGS for path in row["predictions"]],
        published=project_file("fsar/results/published.csv"),
    output:
        csv=[
            report(
                f"results/tables/{layout.name}.csv",
                caption="../report/layout.rst",
                category="Tables",
                labels={"table": layout.caption, "format": "CSV"},
            )
            for layout in LAYOUTS
        ],
        markdown=[f"results/tables/{layout.name}.md" for layout in LAYOUTS],
        latex=[f"results/tables/{layout.name}.tex" for layout in LAYOUTS],
    log:
        "logs/write_layouts.log",
    benchmark:
        "logs/write_layouts.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_layouts.py"),
        settings=SETTINGS,
        layouts=[asdict(layout) for layout in LAYOUTS],
    script:
        "../workflow_scripts/write_layouts.py"


rule write_statistics:
    input:
        predictions=[path for row in SETTINGS for path in row["predictions"]],
    output:
        comparisons=report(
            "results/statistics/comparisons.csv",
            caption="../report/comparisons.rst",
            category="Comparisons",
            labels={"table": "paired differences of methods"},
        ),
        classes=report(
            "results/statistics/classes.csv",
            caption="../report/classes.rst",
            category="Comparisons",
            labels={"table": "accuracy by class"},
        ),
    log:
        "logs/write_statistics.log",
    benchmark:
        "logs/write_statistics.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30, "m"),
    params:
        code=code("write_statistics.py"),
        settings=SETTINGS,
    script:
        "../workflow_scripts/write_statistics.py"


# A figure, with the data it is drawn from beside it.
rule draw_figure:
    input:
        files=lambda wildcards: FIGURES[wildcards.figure].inputs,
    output:
        data="results/figures/{figure}.parquet",
        pdf="results/figures/{figure}.pdf",
        svg=report(
            "results/figures/{figure}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png="results/figures/{figure}.png",
    log:
        "logs/draw_figure/{figure}.log",
    benchmark:
        "logs/draw_figure/{figure}.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30, "m"),
    params:
        code=figure_code,
        kind=lambda wildcards: FIGURES[wildcards.figure].kind,
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        arguments=lambda wildcards: FIGURES[wildcards.figure].arguments,
    script:
        "../workflow_scripts/draw_figure.py"


# What was run, with what, on what: the first page of the report.
rule describe_run:
    input:
        counts=expand("results/data/{benchmark}.json", benchmark=BASES),
        trainings=[str(Path(card).with_name("training.json")) for card in model_cards()],
    output:
        page=report(
            "results/run.html",
            caption="../report/run.rst",
            category="Run",
            labels={"page": "config, data, versions, hardware"},
        ),
        config="results/config.yaml",
    log:
        "logs/describe_run.log",
    benchmark:
        "logs/describe_run.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(1000),
        runtime=growing(10, "m"),
    params:
        code=code("describe_run.py"),
        config=CONFIG.model_dump(),
    script:
        "../workflow_scripts/describe_run.py"


# Enough to check every number without the videos.
rule archive:
    input:
        "results/table.csv",
        "results/table.md",
        rules.write_layouts.output,
        rules.write_statistics.output,
        rules.describe_run.output,
        [
            f"results/figures/{figure}.{suffix}"
            for figure in FIGURES
            for suffix in ("pdf", "svg", "png", "parquet")
        ],
        [
            path
            for benchmark in CONFIG.run.benchmarks
            for path in data_files(benchmark)
            if path.endswith(".parquet")
        ],
        [f"data/{benchmark}/manifest.parquet" for benchmark in BASES],
        [path for row in SETTINGS for path in row["predictions"]],
        [row["counts"] for row in SETTINGS],
        model_cards(),
        [str(Path(card).with_name("training.json")) for card in model_cards()],
        [str(Path(card).with_name("metrics.parquet")) for card in model_cards()],
    output:
        archive="results/archive.zip",
    log:
        "logs/archive.log",
    benchmark:
        "logs/archive.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(30, "m"),
    params:
        code=code("archive.py"),
    script:
        "../workflow_scripts/archive.py"
