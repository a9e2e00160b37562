# Snakemake's own report of everything, as one page that opens offline.


rule report:
    input:
        rules.all.input,
    output:
        report="results/report.html",
    log:
        "logs/report.log",
    benchmark:
        "logs/report.tsv"
    conda:
        "../envs/results.yaml"
    threads: 1
    resources:
        mem_mb=growing(4000),
        runtime=growing(1, "h"),
    params:
        snakefile=str(ROOT / "Snakefile"),
        configfiles=[str(path) for path in workflow.overwrite_configfiles],
    script:
        "../workflow_scripts/make_report.py"
