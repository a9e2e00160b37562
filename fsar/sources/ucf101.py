"""UCF101: one archive, a RAR with a folder for each class or a zip with one folder for all."""

import re

from fsar.benchmarks.data_sets import UCF101
from fsar.sources.data_set import Files, by_folder_and_file
from fsar.sources.split_lists import Entry


def group(entry: Entry) -> str:
    """Return the recording of a clip: `v_Diving_g13_c04.avi` is the fourth of `v_Diving_g13`."""
    return re.sub(r"_c\d+\.avi$", "", entry.file)


FILES = Files(UCF101, find=by_folder_and_file, group=group)
