"""What a record holds: the fields of `results/records.json`, their JSON schema, reading and writing the file."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from fsar.errors import UserError
from fsar.files import read_json, write_sealed_json

Checksum = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]  # SHA-256
ShortChecksum = Annotated[str, Field(pattern="^[0-9a-f]{16}$")]  # the first 16 digits of one
# Data sets by name → the benchmarks whose videos are in it; None where that is not known.
Saw = dict[str, list[str] | None]


class Part(BaseModel):
    """A part of a record: unknown fields are errors, and no number is NaN or infinite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Benchmark(Part):
    """A benchmark, and by checksum what it is of."""

    name: str = Field(description="In the config of the run.")
    lists: Checksum = Field(description="Of its videos with class and split: the CSV of the columns video_id, "
    "class_name and split, sorted by video_id.")  # fmt: skip
    episodes: Checksum = Field(description="Of its stored test episodes at this way and shot: the CSV of the columns "
    "episode, label, role, class_name and video_id.")  # fmt: skip
    queries: Checksum = Field(description="Of their queries alone, the columns episode, label, class_name and "
    "video_id: what the predictions must be of.")  # fmt: skip
    trained_on: str | None = Field(default=None, description="The benchmark that models are trained and chosen on, "
    "where it is another one than is tested; else null.")  # fmt: skip
    tested_on: str | None = Field(default=None, description="The benchmark that is tested, where `trained_on` is "
    "another one; else null.")  # fmt: skip
    removed: list[str] = Field(default=[], description="Training and validation classes that are left out.")


class Backbone(Part):
    """A pretrained encoder."""

    name: str = Field(description="In the config of the run.")
    library: str = Field(description="Whose architecture it is: open_clip, timm, transformers or torchvision.")
    model: str = Field(description="The architecture.")
    weights: str = Field(description="A pretrained tag of the library, or the name of a file.")
    checksum: ShortChecksum | None = Field(description="Of the file of weights; null for a tag of the library.")
    saw: Saw = Field(description="What its pretraining saw: data sets by name, each with the benchmarks whose videos "
    "are in it; null where that is not known. Empty where nothing is stated.")  # fmt: skip


class Method(Part):
    """How queries are decided."""

    name: str = Field(description="Its key in the config.")
    title: str = Field(description="As tables write it.")
    inductive: bool = Field(description="The label of a query does not depend on the other queries of its episode.")


class Videos(Part):
    """Numbers of videos."""

    listed: int = Field(description="In the benchmark's lists.", ge=0)
    used: int = Field(description="Of these, those that are there and can be decoded.", ge=0)
    test: int = Field(description="In the test episodes, as support or as query.", ge=1)


class Predictions(Part):
    """A file of predictions: of one training, or of what is not trained."""

    file: str = Field(description="Below results/.")
    checksum: Checksum = Field(description="Of the file.")
    trained: ShortChecksum | None = Field(description="Of the trained weights; null where nothing is trained.")


class Code(Part):
    """What computed it."""

    fsar: str = Field(description="Version of the package.")
    checksum: str = Field(description="Of the statements that train and test this model.", min_length=1)


class Record(Part):
    """A method with one backbone on one benchmark, at one way and shot: a row of results/table.csv."""

    benchmark: Benchmark
    backbone: Backbone
    method: Method
    way: int = Field(description="Classes of an episode.", ge=2)
    shot: int = Field(description="Support videos of each class; 0 where class names alone decide.", ge=0)
    seeds: list[int] = Field(description="Of the trainings; empty where nothing is trained.")
    selection: str = Field(description="The split that the weights were chosen on; given; or not trained.")
    settings: dict[str, JsonValue] = Field(description="Every key that decides the result and is not its default.")
    accuracy: float = Field(description="Percent, over all episodes and trainings.", ge=0, le=100)
    intervals: dict[str, float] = Field(description="Half-widths of 95 % intervals in percentage points, by the "
    "column of results/table.csv that has them.")  # fmt: skip
    episodes: int = Field(description="Test episodes.", ge=1)
    videos: Videos
    predictions: list[Predictions] = Field(min_length=1)
    code: Code

    @property
    def question(self) -> tuple[str, int, int]:
        """What accuracies must share to be compared: benchmark, way and shot."""
        return self.benchmark.name, self.way, self.shot

    @property
    def called(self) -> str:
        """What messages call it."""
        benchmark, way, shot = self.question
        return f"{benchmark}, {self.backbone.name}, {self.method.title}, {way}-way {shot}-shot"


class Records(Part):
    """The file: all records of a run."""

    format: Literal[1] = 1
    records: list[Record]


def schema() -> dict[str, Any]:
    """Return the JSON schema of the file, but for its seal (`fsar.seal`), which any reader may ignore."""
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Records.model_json_schema()}
    found["properties"]["seal"] = {"type": "string", "description": "The file's own checksum (fsar/seal.py)."}
    return found


def save_records(records: list[Record], path: Path) -> None:
    """Write a file of records, sealed. Equal records give equal bytes."""
    write_sealed_json(path, Records(records=records).model_dump(mode="json"))


def read_records(path: Path) -> list[Record]:
    """Read a file of records.

    Raises:
        UserError: it is not there, is damaged, or holds something else; names the first field that is wrong.
    """
    found = read_json(path, remedy="Ask for it again, or make it again with `snakemake --cores 1 results/records.json`")
    try:
        return Records.model_validate(found).records
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UserError(f"{path} is no file of records that this version reads: {place}: {first['msg']}") from None
