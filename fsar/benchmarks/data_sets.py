"""The published data sets, and the benchmarks that are made from them, as records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class DataSet:
    """A published data set, from which one or more benchmarks are made.

    Attributes:
        name: of its section under `sources` in the config, and of its folder in data/sources/.
        benchmarks: title by name of the benchmarks that are made from it.
        comes: as one archive, RAR or zip; as many tar archives, which are downloaded in parts; by hand, after a
            registration, to be unpacked; or as a folder, in which the user has put its videos and lists. The URLs
            are in fsar/sources/places.csv.
        published_prompts: readable class name → prompt of the public implementation, if it differs.
    """

    name: str
    benchmarks: Mapping[str, str]
    comes: Literal["archive", "parts", "by hand", "folder"]
    published_prompts: Mapping[str, str] = field(default_factory=dict)


HMDB51 = DataSet(
    "hmdb51",
    {"hmdb51": "HMDB51"},
    "archive",
    {name: name.replace(" ", "_") for name in ("draw sword", "ride bike", "shake hands", "shoot bow")},
)
UCF101 = DataSet(
    "ucf101",
    {"ucf101": "UCF101"},
    "archive",
    {
        "Blow Dry Hair": "Blow DryHair",
        "Walking With Dog": "Walking WithDog",
        "Cutting In Kitchen": "Cutting in Kitchen",
    },
)
KINETICS = DataSet("kinetics", {"kinetics100": "Kinetics"}, "parts")
SOMETHING = DataSet("ssv2", {"ssv2_full": "SSv2-Full", "ssv2_small": "SSv2-Small"}, "by hand")
DIVING48 = DataSet("diving48", {"diving48": "Diving48", "diving48_v2": "Diving48 (V2)"}, "folder")

DATA_SETS = {data_set.name: data_set for data_set in (HMDB51, UCF101, KINETICS, SOMETHING, DIVING48)}
# Benchmark → the data set it is made from.
PUBLISHED = {benchmark: data_set for data_set in DATA_SETS.values() for benchmark in data_set.benchmarks}
TITLES = {benchmark: title for data_set in DATA_SETS.values() for benchmark, title in data_set.benchmarks.items()}
