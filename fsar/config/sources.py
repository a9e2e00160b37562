"""The section `sources`: where the files of the published data sets are fetched from, or lie."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from fsar.config.names import FOLDER
from fsar.keys.declare import NOTHING, Section, key, section

# Where something is fetched from.
Url = Annotated[str, Field(pattern=r"^https?://\S+$")]


class Mirror(Section):
    """A place of your own that an archive is fetched from, with what is known of the file."""

    url: Url = key("Where the archive is, RAR or zip.", NOTHING)
    bytes: int | None = key(
        "Its size; a file of another is not downloaded.", NOTHING, unit="bytes", default=None, ge=1, le=10**15
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = key(
        "Its checksum; without one, that of the first download is kept.", NOTHING, default=None
    )


def _with_url(mirror: object) -> object:
    return {"url": mirror} if isinstance(mirror, str) else mirror


class Archive(Section):
    """A data set in one archive."""

    mirrors: list[Annotated[Mirror, BeforeValidator(_with_url, json_schema_input_type=Url | Mirror)]] = key(
        "Your own places of the archive, tried in order before the public ones. Each is a URL, or a section "
        "with `url`, `bytes` and `sha256`.",
        NOTHING,
        default=[],
    )
    folder: str = key(
        "A folder that already has the videos, at any depth. Nothing is downloaded then.", FOLDER, default=""
    )


class KineticsArchives(Section):
    """Kinetics-400, in many archives."""

    mirrors: list[Url] = key(
        "Places of your own, tried in order before the public one: URLs of folders with train/k400_train_path.txt and "
        "val/k400_val_path.txt, which list the archives, and the archives beside them.",
        NOTHING,
        default=[],
    )
    folder: str = key(
        "A folder that already has the videos, at any depth. Nothing is downloaded then.", FOLDER, default=""
    )
    parts: int = key(
        "Jobs that share the archives; each has one archive on the disk at a time.",
        ("fetch_kinetics_part", "list_folder"),
        unit="jobs",
        default=8,
        ge=1,
        le=500,
    )


class RegisteredFiles(Section):
    """A data set behind a registration."""

    folder: str = key("The folder with its files.", ("unpack_ssv2", "list_videos", *FOLDER), default="")


class SourcesConfig(Section):
    """Where the videos of the published benchmarks come from, beside the public places in fsar/sources/places.csv."""

    split_lists: list[Url] = key(
        "Your own places of the split lists, tried in order before the pinned commit: URLs of folders with "
        "the paths of fsar/benchmarks/split_lists.csv.",
        NOTHING,
        default=[],
    )
    hmdb51: Archive = section("HMDB51.", default=Archive())
    ucf101: Archive = section("UCF101.", default=Archive())
    kinetics: KineticsArchives = section("Kinetics-400, for kinetics100.", default=KineticsArchives())
    ssv2: RegisteredFiles = section("Something-Something V2.", default=RegisteredFiles())
    diving48: RegisteredFiles = section("Diving48, its videos unpacked.", default=RegisteredFiles())
    rate_limit: float = key(
        "Greatest speed of one download; 0 for no limit.", NOTHING, unit="megabytes per second", default=0.0, ge=0
    )
    retries: int = key("A download stops after so many attempts in a row that gave no byte.", NOTHING, default=6, ge=1)
    pause: float = key(
        "Pause before the second attempt; it doubles for each further one.", NOTHING, unit="seconds", default=1.0, ge=0
    )
    timeout: float = key(
        "Time without a byte that counts as a broken connection.", NOTHING, unit="seconds", default=30.0, gt=0
    )
