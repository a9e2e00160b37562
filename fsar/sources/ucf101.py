"""UCF101: one archive, a RAR with a folder for each class or a zip with one folder for all."""

from fsar.benchmarks.data_sets import UCF101
from fsar.sources.data_set import Files, by_folder_and_file

FILES = Files(UCF101, find=by_folder_and_file)
