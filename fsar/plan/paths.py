"""The paths that Python needs, as the rules have them. Braces are wildcards; `shard` has three digits."""

import re
from collections.abc import Iterable

MANIFEST = "data/{benchmark}/manifest.parquet"
PUBLISHED_LISTING = "data/{benchmark}/published.csv"
RENDERED = "data/{benchmark}/videos/part{part}"
SMALL_CLIP = "data/small_clip/{small_clip}.safetensors"
SMALL_VIDEO = "data/small_video/{small_video}.safetensors"
INDEX = "data/{benchmark}/frames/index.parquet"
EPISODES = "data/{benchmark}/episodes/{split}-{way}way-{shot}shot.parquet"

SPLIT_LIST = "data/sources/split_lists/{published}-{any_split}.txt"
ARCHIVE = "data/sources/{archived}/archive"  # RAR or zip, as its place has it
UNPACKED_VIDEOS = "data/sources/{dataset}/videos"
UNPACKED = "data/sources/{dataset}/unpacked.parquet"
KINETICS_LIST = "data/sources/kinetics/{kinetics_split}.txt"
KINETICS_PART = "data/sources/kinetics/part{part}.parquet"

# A model is trained with a shot and a seed. `training` is seed1, …; seed1-shot5, … where each test shot has a training
# of its own; given (weights from elsewhere); or untrained.
MODEL = "results/models/{benchmark}/{backbone}/{model}/shot{shot}-seed{seed}"
FEATURES = "results/features/{benchmark}/{backbone}/{model}/{training}/{split}.safetensors"
# Of the videos that heads are trained and validated on, where these are encoded once.
TRAIN_FEATURES = "results/features/{benchmark}/{backbone}/{model}/for_training/train.safetensors"
VAL_FEATURES = "results/features/{benchmark}/{backbone}/{model}/for_training/val.safetensors"
PREDICTIONS = "results/predictions/{benchmark}/{backbone}/{model}/{training}.parquet"


DATA_REPORT = "results/data/{benchmark}"  # .html, .parquet, .json
COUNTS = "results/data/{benchmark}.json"
PARTIAL_TABLE = "results/partial-table"  # .csv, .md: of a run that failed; no rule makes it

# Measured times of the jobs whose cost a figure shows.
DECODE_TIME = "benchmarks/decode_frames/{benchmark}-{shard}.tsv"
TRAIN_TIME = "benchmarks/train_model/{benchmark}-{backbone}-{model}-shot{shot}-seed{seed}.tsv"
ENCODING_TIME = "benchmarks/encode_training/{benchmark}-{backbone}-{model}.tsv"
FEATURES_TIME = "benchmarks/encode_features/{benchmark}-{backbone}-{model}-{training}-{split}.tsv"
TESTS_TIME = "benchmarks/evaluate_model/{benchmark}-{backbone}-{model}-{training}.tsv"
PART_TIME = "benchmarks/evaluate_part/{benchmark}-{backbone}-{model}-{training}-{part}of{parts}.tsv"

UNTRAINED, GIVEN = "untrained", "given"


def one_of(names: Iterable[str]) -> str:
    """Return a pattern that is one of some names; nothing fits none."""
    return "|".join(names) or r"[^\w\W]"


def shard(number: int) -> str:
    """Return the number of a shard as it stands in paths."""
    return f"{number:03d}"


def training_name(seed: int, shot: int | None = None) -> str:
    """Return the name of the training with a seed, for the tests of one shot or (None) of all."""
    return f"seed{seed}" if shot is None else f"seed{seed}-shot{shot}"


def seed_of(training: str) -> int | None:
    """Return the seed that a training is named after; None for `given` and `untrained`."""
    match = re.match(r"seed(\d+)", training)
    return int(match[1]) if match else None


def shot_of(training: str) -> int | None:
    """Return the shot whose tests alone a training is for; None where it is for all."""
    match = re.search(r"-shot(\d+)$", training)
    return int(match[1]) if match else None
