"""UCF101: one archive, a RAR with a folder for each class or a zip with one folder for all."""

from fsar.sources.data_set import DataSet, by_folder_and_file

UCF101 = DataSet(
    name="ucf101",
    benchmarks={"ucf101": "UCF101"},
    comes="archive",
    find=by_folder_and_file,
    published_prompts={
        "Blow Dry Hair": "Blow DryHair",
        "Walking With Dog": "Walking WithDog",
        "Cutting In Kitchen": "Cutting in Kitchen",
    },
)
