# CLIP-FSAR, from raw videos to comparison tables. Read top to bottom: each file of rules is one stage, and each stage
# knows only the files of the stage before it (docs/architecture.md has their contracts). What a rule calls is defined in
# rules/common.smk (parameters, resources) and rules/inputs.smk (inputs); PLAN is fsar/plan/plan.py.

from os.path import exists

from snakemake.utils import min_version

min_version("9.14")


include: "rules/package.smk"


from fsar.yaml_file import check_readable
from fsar.errors import UserError

# That of the run's directory, where it has one; else the one beside this file.
if exists("config.yaml"):
    OWN_CONFIG = "config.yaml"
    try:
        check_readable(Path(OWN_CONFIG))
    except UserError as error:
        raise WorkflowError(str(error)) from None
elif exists(str(workflow.current_basedir.join("config.yaml"))):
    OWN_CONFIG = str(workflow.current_basedir.join("config.yaml"))
else:  # the workflow is no checkout, but comes from a repository
    OWN_CONFIG = workflow.source_path("config.yaml")


configfile: OWN_CONFIG


include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/download.smk"
include: "rules/sources.smk"
include: "rules/frames.smk"
include: "rules/episodes.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/results.smk"
include: "rules/predict.smk"
include: "rules/terminal.smk"


report: "report/workflow.rst"


rule tables:
    input:
        rules.write_layouts.output,
        rules.write_statistics.output,
        rules.write_over_deals.output if DEALT_ROWS else [],
        rules.write_unknown.output if UNKNOWN_ROWS else [],
    localrule: True


rule figures:
    input:
        expand("results/figures/{figure}.{suffix}", figure=FIGURES, suffix=("pdf", "svg", "png")),
    localrule: True


rule all:
    default_target: True
    input:
        rules.write_tables.output,
        rules.write_index.output,
        rules.write_records.output,
        rules.tables.input,
        rules.figures.input,
        PLAN.trained_models("README.md"),
        expand("results/data/{benchmark}.html", benchmark=PLAN.bases),
        expand(
            "results/predict/{prediction}.{suffix}",
            prediction=CONFIG.predict,
            suffix=("csv", "html"),
        ),
    localrule: True


# All configured benchmarks, or one of them: `snakemake data_hmdb51`.
rule data:
    input:
        [PLAN.data_files(benchmark) for benchmark in CONFIG.run.benchmarks],
    localrule: True


for benchmark in CONFIG.benchmarks:

    rule:
        name:
            f"data_{benchmark}"
        input:
            partial(data_of, benchmark),
        localrule: True


snakemake_api.remember_parameters(workflow)
