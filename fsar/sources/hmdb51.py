"""HMDB51: one RAR archive of RAR archives, one for each class, of AVI files with packed B-frames."""

from fsar.sources.data_set import DataSet, by_folder_and_file

HMDB51 = DataSet(
    name="hmdb51",
    benchmarks={"hmdb51": "HMDB51"},
    comes="archive",
    find=by_folder_and_file,
    published_prompts={
        name: name.replace(" ", "_") for name in ("draw sword", "ride bike", "shake hands", "shoot bow")
    },
)
