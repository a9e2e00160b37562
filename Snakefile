# CLIP-FSAR, from raw videos to comparison tables. Read top to bottom: each file of rules is one stage, and each stage
# knows only the files of the stage before it (docs/architecture.md has their contracts).

from snakemake.utils import min_version

min_version("9.10")


configfile: "config.yaml"


include: "rules/common.smk"
include: "rules/sources.smk"
include: "rules/frames.smk"
include: "rules/episodes.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/results.smk"


rule all:
    default_target: True
    input:
        "results/table.csv",
        "results/table.md",
        FIGURES,
        model_cards(),


rule data:
    input:
        expand("data/{benchmark}/frames/index.parquet", benchmark=CONFIG.run.benchmarks),


localrules:
    all,
    data,
