"""The published data sets, and the five benchmarks of the paper that are made from them."""

from fsar.sources.hmdb51 import HMDB51
from fsar.sources.kinetics import KINETICS
from fsar.sources.something import SOMETHING
from fsar.sources.ucf101 import UCF101

DATA_SETS = {data_set.name: data_set for data_set in (HMDB51, UCF101, KINETICS, SOMETHING)}
# Benchmark → the data set it is made from.
PUBLISHED = {benchmark: data_set for data_set in DATA_SETS.values() for benchmark in data_set.benchmarks}
TITLES = {benchmark: title for data_set in DATA_SETS.values() for benchmark, title in data_set.benchmarks.items()}
