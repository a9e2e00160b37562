# Tables, statistics and figures: for everything the config asks for, and beside what was published.

from dataclasses import asdict

from fsar.config.merge import decisive_record
from fsar.results.partial_table import write_partial_table

DEALS = PLAN.settings_of_deals()


rule write_tables:
    input:
        predictions=PLAN.predictions(),
        counts=expand(paths.COUNTS, benchmark=PLAN.bases),
        published=project_file("fsar/results/published.csv"),
    output:
        csv=report(
            f"{paths.TABLE}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "all settings", "format": "CSV"},
        ),
        markdown=f"{paths.TABLE}.md",
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
        settings=PLAN.settings,
        caption="Every setting that was run: mean accuracy over test episodes with its 95 % interval.",
    script:
        "../workflow_scripts/write_tables.py"


rule write_layouts:
    input:
        predictions=PLAN.predictions(),
        published=project_file("fsar/results/published.csv"),
    output:
        csv=[
            report(
                f"{paths.LAYOUT}.csv".format(layout=layout.name),
                caption="../report/layout.rst",
                category="Tables",
                labels={"table": layout.caption, "format": "CSV"},
            )
            for layout in LAYOUTS
        ],
        markdown=[f"{paths.LAYOUT}.md".format(layout=layout.name) for layout in LAYOUTS],
        latex=[f"{paths.LAYOUT}.tex".format(layout=layout.name) for layout in LAYOUTS],
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
        settings=PLAN.settings,
        layouts=[asdict(layout) for layout in LAYOUTS],
    script:
        "../workflow_scripts/write_layouts.py"


rule write_statistics:
    input:
        predictions=PLAN.predictions(),
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
        settings=PLAN.settings,
    script:
        "../workflow_scripts/write_statistics.py"


# The demo's deals are benchmarks of one kind, so what holds over them is a question; made where several are run.
rule write_over_deals:
    input:
        predictions=[path for setting in DEALS for path in setting.predictions],
    output:
        csv=report(
            f"{paths.OVER_DEALS}.csv",
            caption="../report/over_deals.rst",
            category="Comparisons",
            labels={"table": "over the demo's deals"},
        ),
        markdown=f"{paths.OVER_DEALS}.md",
    log:
        "logs/write_over_deals.log",
    benchmark:
        "logs/write_over_deals.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_over_deals.py"),
        settings=DEALS,
    script:
        "../workflow_scripts/write_over_deals.py"


onerror:
    if workflow.is_main_process:
        table, unmade = paths.TABLE, unmade_files()
        if told := write_partial_table(
            PLAN.settings, unmade, Path(f"{table}.csv"), Path(f"{table}.md")
        ):
            logger.error(told)


# A figure, with the data it is drawn from beside it.
rule draw_figure:
    input:
        files=lambda wildcards: FIGURES[wildcards.figure].inputs,
    output:
        data=f"{paths.FIGURE}.parquet",
        pdf=f"{paths.FIGURE}.pdf",
        svg=report(
            f"{paths.FIGURE}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png=f"{paths.FIGURE}.png",
    log:
        "logs/draw_figure/{figure}.log",
    benchmark:
        "logs/draw_figure/{figure}.tsv"
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30, "m"),
    params:
        code=lambda wildcards: code("draw_figure.py", FIGURES[wildcards.figure].file),
        kind=lambda wildcards: FIGURES[wildcards.figure].kind,
        caption=lambda wildcards: FIGURES[wildcards.figure].caption,
        arguments=lambda wildcards: FIGURES[wildcards.figure].arguments,
    script:
        "../workflow_scripts/draw_figure.py"


# What was run, with what, on what: the first page of the report.
rule describe_run:
    input:
        counts=expand(paths.COUNTS, benchmark=PLAN.bases),
        trainings=PLAN.trained_models("training.json"),
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
        config=decisive_record(CONFIG),
    script:
        "../workflow_scripts/describe_run.py"


# Enough to check every number without the videos.
rule archive:
    input:
        f"{paths.TABLE}.csv",
        f"{paths.TABLE}.md",
        rules.write_layouts.output,
        rules.write_statistics.output,
        rules.write_over_deals.output if DEALS else [],
        rules.describe_run.output,
        [
            f"{paths.FIGURE}.{suffix}".format(figure=figure)
            for figure in FIGURES
            for suffix in ("pdf", "svg", "png", "parquet")
        ],
        [
            path
            for benchmark in CONFIG.run.benchmarks
            for path in PLAN.data_files(benchmark)
            if path.endswith(".parquet")
        ],
        expand(paths.MANIFEST, benchmark=PLAN.bases),
        PLAN.predictions(),
        expand(paths.COUNTS, benchmark=PLAN.bases),
        PLAN.trained_models("README.md"),
        PLAN.trained_models("training.json"),
        PLAN.trained_models("metrics.parquet"),
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
