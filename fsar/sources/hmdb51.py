"""HMDB51: one RAR archive of RAR archives, one for each class, of AVI files with packed B-frames."""

from fsar.benchmarks.data_sets import HMDB51
from fsar.sources.data_set import Files, by_folder_and_file

FILES = Files(HMDB51, find=by_folder_and_file)
