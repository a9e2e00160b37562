# The files of the published benchmarks, fetched where they are public: what each data set leaves is an inventory of its
# videos. Fetching runs on the machine that Snakemake is started on, which has the network on a cluster. Where from, and
# with how much patience, is no parameter: the scripts read it from the config, so no edit makes a finished download again.

from fsar.sources.kinetics import list_path


rule fetch_split_list:
    output:
        "data/sources/split_lists/{published}-{any_split}.txt",
    log:
        "logs/fetch_split_list/{published}-{any_split}.log",
    benchmark:
        "benchmarks/fetch_split_list/{published}-{any_split}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        downloads=1,
    params:
        source="split_lists",
        path=lambda w: sources.split_list_fact(w.published, w.any_split, "path"),
        sha256=lambda w: sources.split_list_fact(w.published, w.any_split, "sha256"),
    script:
        "../workflow_scripts/fetch_file.py"


rule fetch_archive:
    output:
        "data/sources/{archived}/archive",  # RAR or zip, as its place has it
    log:
        "logs/fetch_archive/{archived}.log",
    benchmark:
        "benchmarks/fetch_archive/{archived}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        downloads=1,
    params:
        source="{archived}",
        path="",
        sha256=None,  # that of each place, where it is known
    script:
        "../workflow_scripts/fetch_file.py"


rule unpack_archive:
    input:
        archive="data/sources/{archived}/archive",
        lists=expand("data/sources/split_lists/{{archived}}-{split}.txt", split=SPLITS),
    output:
        videos=directory("data/sources/{archived}/videos"),
        inventory="data/sources/{archived}/unpacked.parquet",
    log:
        "logs/unpack_archive/{archived}.log",
    benchmark:
        "benchmarks/unpack_archive/{archived}.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        runtime=lambda wildcards, attempt: f"{4 * attempt}h",
    params:
        code=code("unpack_archive.py"),
    script:
        "../workflow_scripts/unpack_archive.py"


rule fetch_kinetics_list:
    output:
        "data/sources/kinetics/{kinetics_split}.txt",
    log:
        "logs/fetch_kinetics_list/{kinetics_split}.log",
    benchmark:
        "benchmarks/fetch_kinetics_list/{kinetics_split}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        downloads=1,
    params:
        source="kinetics",
        path=lambda w: list_path(w.kinetics_split),
        sha256=None,
    script:
        "../workflow_scripts/fetch_file.py"


# The videos are no output: Snakemake deletes the outputs of a job that fails, and they took days to fetch.
rule fetch_kinetics_part:
    input:
        archives=expand("data/sources/kinetics/{part}.txt", part=("train", "val")),
        lists=expand("data/sources/split_lists/kinetics100-{split}.txt", split=SPLITS),
    output:
        inventory="data/sources/kinetics/part{part}.parquet",
    log:
        "logs/fetch_kinetics_part/{part}.log",
    benchmark:
        "benchmarks/fetch_kinetics_part/{part}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    resources:
        downloads=1,
    params:
        parts=Keyed("sources.kinetics.parts", CONFIG.sources.kinetics.parts),
    script:
        "../workflow_scripts/fetch_kinetics_part.py"


rule unpack_ssv2:
    input:
        # Not the archive's parts: they may be deleted when they are unpacked.
        lists=expand(
            "data/sources/split_lists/{published}-{split}.txt",
            published=("ssv2_full", "ssv2_small"),
            split=SPLITS,
        ),
    output:
        videos=directory("data/sources/ssv2/videos"),
        inventory="data/sources/ssv2/unpacked.parquet",
    log:
        "logs/unpack_ssv2.log",
    benchmark:
        "benchmarks/unpack_ssv2.tsv"
    conda:
        "../envs/data.yaml"
    resources:
        runtime=lambda wildcards, attempt: f"{8 * attempt}h",
    params:
        code=code("unpack_ssv2.py"),
    script:
        "../workflow_scripts/unpack_ssv2.py"


rule list_folder:
    input:
        made=made_files,
    output:
        inventory="data/sources/{dataset}/folder.parquet",
    log:
        "logs/list_folder/{dataset}.log",
    benchmark:
        "benchmarks/list_folder/{dataset}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code("list_folder.py"),
        folder=lambda wildcards: sources.videos_folder(CONFIG, wildcards.dataset),
        contents=lambda wildcards: PLAN.videos.folder_contents(wildcards.dataset),
    script:
        "../workflow_scripts/list_folder.py"


rule list_videos:
    input:
        lists=split_lists,
        inventory=inventory,
        annotations=annotations,
    output:
        listing="data/{benchmark}/published.csv",
        missing="data/{benchmark}/missing.csv",
    log:
        "logs/list_videos/{benchmark}.log",
    benchmark:
        "benchmarks/list_videos/{benchmark}.tsv"
    localrule: True
    conda:
        "../envs/data.yaml"
    params:
        code=code("list_videos.py"),
        kind=lambda wildcards: CONFIG.published_kind(wildcards.benchmark),
        prompts=lambda wildcards: CONFIG.benchmarks[wildcards.benchmark].source.prompts,
    script:
        "../workflow_scripts/list_videos.py"


# Asks the places of what a run fetches, whenever it is asked for: `snakemake check_sources`. No output, as `verify`.
rule check_sources:
    log:
        "logs/check_sources.log",
    localrule: True
    conda:
        "../envs/data.yaml"
    script:
        "../workflow_scripts/check_sources.py"
