"""Light facts of the published benchmarks."""

from pathlib import Path

DATASETS = {
    "hmdb51": "hmdb51",
    "ucf101": "ucf101",
    "kinetics100": "kinetics",
    "ssv2_full": "ssv2",
    "ssv2_small": "ssv2",
}
PUBLISHED = tuple(DATASETS)
SPLIT_LISTS = Path(__file__).with_name("split_lists.csv")
