"""What names in the config may be, and the stages that several sections decide."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from fsar.benchmarks.data_sets import PUBLISHED
from fsar.config.prompts import prompt_sets
from fsar.methods import METHODS, MODELS

# Names become parts of file paths and of Snakemake wildcards.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]*(_[A-Za-z0-9.-]+)*$")]

if TYPE_CHECKING:
    MethodName = str
    ModelName = str
    PublishedKind = str
    PromptSet = str
else:
    MethodName, ModelName, PublishedKind = Literal[tuple(METHODS)], Literal[tuple(MODELS)], Literal[tuple(PUBLISHED)]
    PromptSet = Literal[tuple(prompt_sets())]

# Which tests there are: their episodes, and what is made of them.
TESTS = ("draw_episodes", "evaluate_model", "write_model_card")
# What lists the rows of summaries that not every run has: over class partitions, and of unknown queries.
DEALS, UNKNOWN = ("write_over_deals",), ("write_unknown",)
SUMMARIES = (*DEALS, *UNKNOWN)
# Other videos altogether.
SOURCE = ("render_videos", "list_videos", "write_manifest", "decode_frames")
# Where the videos of a data set are.
FOLDER = ("list_folder", "decode_frames")


# What is said of a user's clips.
PREDICT = ("predict_clips",)
# What a stored frame looks like; a user's clips are decoded to the same.
STORED = ("decode_frames", "predict_clips")
