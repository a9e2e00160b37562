# Tables, statistics and figures: for everything the config asks for, and beside what was published.

from fsar.config.overview import decisive_record

ROWS = rows.rows(PLAN)
DEALT_ROWS = rows.rows_of_deals(PLAN, ROWS)
UNKNOWN_ROWS = rows.rows_with_unknown(PLAN, ROWS)
PREDICTIONS_FILES = rows.predictions_of(ROWS)
LAYOUTS = layouts(ROWS)
FIGURES = planned_figures(PLAN, ROWS)


rule write_tables:
    input:
        predictions=PREDICTIONS_FILES,
        episodes=rows.episodes_of(ROWS),
        manifests=rows.manifests_of(ROWS),
        counts=expand("results/data/{benchmark}.json", benchmark=PLAN.bases),
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
        "benchmarks/write_tables.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        code=code("write_tables.py"),
        settings=lambda wildcards: Rows("rows", ROWS),
    script:
        "../workflow_scripts/write_tables.py"


rule write_layouts:
    input:
        predictions=PREDICTIONS_FILES,
        episodes=rows.episodes_of(ROWS),
        manifests=rows.manifests_of(ROWS),
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
        "benchmarks/write_layouts.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        code=code("write_layouts.py"),
        settings=lambda wildcards: Rows("rows", ROWS),
        layouts=lambda wildcards: Rows("layouts", [asdict(layout) for layout in LAYOUTS]),
        titles=Values("titles", titles_of(LAYOUTS)),
    script:
        "../workflow_scripts/write_layouts.py"


rule write_statistics:
    input:
        predictions=PREDICTIONS_FILES,
        episodes=rows.episodes_of(ROWS),
        manifests=rows.manifests_of(ROWS),
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
        "benchmarks/write_statistics.tsv"
    conda:
        "../envs/results.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        code=code("write_statistics.py"),
        settings=lambda wildcards: Rows("rows", ROWS),
    script:
        "../workflow_scripts/write_statistics.py"


# Benchmarks that deal the same classes are of one kind, so what holds over them is a question; made where several are run.
rule write_over_deals:
    input:
        predictions=rows.predictions_of(DEALT_ROWS),
    output:
        csv=report(
            "results/statistics/over_deals.csv",
            caption="../report/over_deals.rst",
            category="Comparisons",
            labels={"table": "over class partitions"},
        ),
        markdown="results/statistics/over_deals.md",
    log:
        "logs/write_over_deals.log",
    benchmark:
        "benchmarks/write_over_deals.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        code=code("write_over_deals.py"),
        settings=lambda wildcards: Rows("rows", DEALT_ROWS),
    script:
        "../workflow_scripts/write_over_deals.py"


# How well methods tell queries of other classes from those of their episode; made where episodes have such queries.
rule write_unknown:
    input:
        predictions=rows.predictions_of(UNKNOWN_ROWS),
        episodes=rows.episodes_of(UNKNOWN_ROWS),
        manifests=rows.manifests_of(UNKNOWN_ROWS),
    output:
        csv=report(
            "results/statistics/unknown.csv",
            caption="../report/unknown.rst",
            category="Comparisons",
            labels={"table": "unknown queries"},
        ),
        markdown="results/statistics/unknown.md",
    log:
        "logs/write_unknown.log",
    benchmark:
        "benchmarks/write_unknown.tsv"
    conda:
        "../envs/results.yaml"
    resources:
        mem_mb=lambda wildcards, attempt: 4000 * attempt,
    params:
        code=code("write_unknown.py"),
        settings=lambda wildcards: Rows("rows", UNKNOWN_ROWS),
        measures=CONFIG.run.unknown_measures,
    script:
        "../workflow_scripts/write_unknown.py"


# A figure, with the data it is drawn from beside it.
rule draw_figure:
    input:
        files=files_of_a_figure,
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
        "benchmarks/draw_figure/{figure}.tsv"
    localrule: True
    conda:
        "../envs/train.yaml"
    params:
        code=lambda wildcards: code("draw_figure.py", FIGURES[wildcards.figure].file),
        kind=lambda wildcards: FIGURES[wildcards.figure].kind,
        caption=lambda wildcards: Text(FIGURES[wildcards.figure].caption),
        arguments=lambda wildcards: Values("arguments", FIGURES[wildcards.figure].arguments),
    script:
        "../workflow_scripts/draw_figure.py"


# Where to look first: what came out, how it looks, what was run with what, and links to everything.
rule write_index:
    input:
        table=rules.write_tables.output,
        statistics=rules.write_statistics.output,
        layouts=rules.write_layouts.output,
        unknown=rules.write_unknown.output if UNKNOWN_ROWS else [],
        figures=expand("results/figures/{figure}.png", figure=FIGURES),
        strips=expand("results/data/{benchmark}.strips.parquet", benchmark=PLAN.bases),
        reports=expand("results/data/{benchmark}.html", benchmark=PLAN.bases),
        counts=expand("results/data/{benchmark}.json", benchmark=PLAN.bases),
        trainings=PLAN.trained_models("training.json"),
        cards=PLAN.trained_models("README.md"),
        predictions=PREDICTIONS_FILES,
        labels=expand("results/predict/{prediction}.html", prediction=CONFIG.predict),
    output:
        page=report(
            "results/index.html",
            caption="../report/run.rst",
            category="Run",
            labels={"page": "results, config, data, versions, hardware"},
        ),
        config="results/config.yaml",
    log:
        "logs/write_index.log",
    benchmark:
        "benchmarks/write_index.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        **fixed({"config": decisive_record(CONFIG)}),
        code=code("write_index.py"),
        settings=lambda wildcards: Rows("rows", ROWS),
        benchmarks=lambda wildcards: Rows("benchmarks", PLAN.bases),
        figures=lambda wildcards: Rows(
            "figures", [(own.kind, own.caption, own.of) for own in FIGURES.values()]
        ),
    script:
        "../workflow_scripts/write_index.py"


# What was measured, and by checksum from what: a file to send where data cannot go.
rule write_records:
    input:
        table=rules.write_tables.output.csv,
        predictions=PREDICTIONS_FILES,
        episodes=rows.episodes_of(ROWS),
        manifests=rows.manifests_of(ROWS),
        counts=expand("results/data/{benchmark}.json", benchmark=PLAN.bases),
    output:
        records="results/records.json",
    log:
        "logs/write_records.log",
    benchmark:
        "benchmarks/write_records.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    params:
        code=code("write_records.py"),
        settings=lambda wildcards: Rows("rows", ROWS),
        facts=lambda wildcards: Rows("facts", facts_of(PLAN, ROWS, code)),
    script:
        "../workflow_scripts/write_records.py"


# Enough to check every number without the videos.
rule archive:
    input:
        "results/table.csv",
        "results/table.md",
        rules.write_layouts.output,
        rules.write_statistics.output,
        rules.write_over_deals.output if DEALT_ROWS else [],
        rules.write_unknown.output if UNKNOWN_ROWS else [],
        rules.write_index.output,
        rules.write_records.output,
        expand(
            "results/figures/{figure}.{suffix}",
            figure=FIGURES,
            suffix=("pdf", "svg", "png", "parquet"),
        ),
        [
            path
            for benchmark in CONFIG.run.benchmarks
            for path in PLAN.data_files(benchmark)
            if path.endswith(".parquet")
        ],
        expand("data/{benchmark}/manifest.parquet", benchmark=PLAN.bases),
        PREDICTIONS_FILES,
        expand("results/data/{benchmark}.{suffix}", benchmark=PLAN.bases, suffix=("html", "json")),
        PLAN.trained_models("README.md"),
        PLAN.trained_models("training.json"),
        PLAN.trained_models("metrics.parquet"),
    output:
        archive="results/archive.zip",
    log:
        "logs/archive.log",
    benchmark:
        "benchmarks/archive.tsv"
    conda:
        "../envs/results.yaml"
    params:
        code=code("archive.py"),
    script:
        "../workflow_scripts/archive.py"
