# Tables, statistics and figures: for everything the config asks for, and beside what was published.

from dataclasses import asdict

from fsar.config.merge import decisive_record

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
    localrule: True
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_tables.py"),
        settings=lambda wildcards: Rows("rows", PLAN.settings),
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
    localrule: True
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_layouts.py"),
        settings=lambda wildcards: Rows("rows", PLAN.settings),
        layouts=lambda wildcards: Rows("layouts", [asdict(layout) for layout in LAYOUTS]),
        titles=Values("titles", titles_of(LAYOUTS)),
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
        settings=lambda wildcards: Rows("rows", PLAN.settings),
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
    localrule: True
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_over_deals.py"),
        settings=lambda wildcards: Rows("rows", DEALS),
    script:
        "../workflow_scripts/write_over_deals.py"


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
    localrule: True
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(30, "m"),
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
        figures=expand(f"{paths.FIGURE}.png", figure=FIGURES),
        strips=expand(paths.STRIPS, benchmark=PLAN.bases),
        reports=expand(f"{paths.DATA_REPORT}.html", benchmark=PLAN.bases),
        counts=expand(paths.COUNTS, benchmark=PLAN.bases),
        trainings=PLAN.trained_models("training.json"),
        cards=PLAN.trained_models("README.md"),
        predictions=PLAN.predictions(),
        labels=expand(f"{paths.PREDICTED}.html", prediction=CONFIG.predict),
    output:
        page=report(
            paths.INDEX_PAGE,
            caption="../report/run.rst",
            category="Run",
            labels={"page": "results, config, data, versions, hardware"},
        ),
        config="results/config.yaml",
    log:
        "logs/write_index.log",
    benchmark:
        "logs/write_index.tsv"
    localrule: True
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(2000),
        runtime=growing(10, "m"),
    params:
        code=code("write_index.py"),
        config=Values("config", decisive_record(CONFIG)),
        benchmarks=lambda wildcards: Rows("benchmarks", PLAN.bases),
        figures=lambda wildcards: Rows(
            "figures", [(own.kind, own.caption) for own in FIGURES.values()]
        ),
    script:
        "../workflow_scripts/write_index.py"


# Enough to check every number without the videos.
rule archive:
    input:
        f"{paths.TABLE}.csv",
        f"{paths.TABLE}.md",
        rules.write_layouts.output,
        rules.write_statistics.output,
        rules.write_over_deals.output if DEALS else [],
        rules.write_index.output,
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
        expand(f"{paths.DATA_REPORT}.{{suffix}}", benchmark=PLAN.bases, suffix=("html", "json")),
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
