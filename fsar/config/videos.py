"""The sections `frames`, `sampling` and `episodes`: how videos are stored, looked at and drawn."""

from typing import Literal

from fsar.config.names import STORED, UNKNOWN
from fsar.keys.declare import MODEL, NOTHING, Section, key


class FramesConfig(Section):
    """How videos are decoded and stored."""

    size: int = key(
        "Height and width of stored frames; the aspect ratio is not kept, as published.",
        STORED,
        unit="pixels",
        default=256,
        ge=16,
        le=1024,
    )
    antialias: bool = key(
        "Average over pixels when frames become smaller. false is the published way, which uses only four "
        "pixels for each new one (docs/fidelity.md).",
        STORED,
        default=True,
    )
    quality: int = key("JPEG quality of stored frames.", STORED, unit="1–100", default=90, ge=1, le=100)
    keep: int = key(
        "Frames stored per video, evenly spread; 0 stores all. Temporal sampling is exact only with all.",
        STORED,
        unit="frames",
        default=0,
        ge=0,
    )
    shards: int = key(
        "Files the frames are packed into, one decoding job each.",
        ("decode_frames",),
        unit="files",
        default=16,
        ge=1,
        le=1000,
    )
    decoder: Literal["pyav", "decord", "ffmpeg"] = key(
        "pyav: one sequential pass, every frame once. decord: random access, as in the public implementation, "
        "with its wrong frames on HMDB51. ffmpeg: the ffmpeg program, as an independent check. See "
        "docs/data.md.",
        STORED,
        default="pyav",
    )
    damaged: Literal["keep", "leave-out"] = key(
        "What happens to a video with lost frames: it is stored with the frames that can be decoded, or left "
        "out with the reason.",
        STORED,
        default="keep",
    )
    timeout: float = key("Time after which a video is given up.", NOTHING, unit="seconds", default=600.0, gt=0)
    max_failed: float = key(
        "Share of videos that may be unreadable before the run stops with their list.",
        ("gather_index",),
        unit="fraction",
        default=0.02,
        ge=0,
        le=1,
    )


class SamplingConfig(Section):
    """Which frames of a video the model sees."""

    frames: int = key("T, frames per video.", MODEL, unit="frames", default=8, ge=1, le=128)
    strategy: Literal["segments", "span", "windows"] = key(
        "segments: one random frame from each of T equal segments, at test time too (SSv2, HMDB51, UCF101). "
        "span: evenly spaced over up to 23 seconds, centred at test time (Kinetics). windows: of each of T / `window` "
        "equal parts `window` frames that follow one another, placed at random in training and centred at test time.",
        MODEL,
        default="segments",
    )
    window: int = key("Frames of a window, for `windows`.", MODEL, unit="frames", default=16, ge=1, le=128)
    step: int = key(
        "Distance between the frames of a window; smaller if a part of the video is too short.",
        MODEL,
        unit="frames",
        default=1,
        ge=1,
        le=64,
    )
    at_test: Literal["drawn", "centres"] = key(
        "With the strategy segments, which frame of each segment is used in validation and tests. drawn: a "
        "random one, by the seed and the video's id, as published. centres: the middle one, whatever the "
        "video's name.",
        ("encode_training", "train_model", "encode_features"),
        default="drawn",
    )
    views: int = key(
        "Number of draws of each test video's frames, with at_test: drawn. The first draw is that of a run "
        "without this key. Every test is made with each draw. Accuracies are means, with an interval over the "
        "draws (docs/results.md).",
        ("encode_features",),
        unit="draws",
        default=1,
        ge=1,
        le=100,
    )

    @property
    def draws(self) -> int:
        """How often the frames of a test video are drawn: once where nothing is drawn."""
        return self.views if (self.strategy, self.at_test) == ("segments", "drawn") else 1


class EpisodesConfig(Section):
    """The stored episodes of validation and test."""

    val: int = key("Validation episodes.", ("draw_episodes",), unit="episodes", default=1000, ge=1)
    test: int = key("Test episodes, as published.", ("draw_episodes",), unit="episodes", default=10000, ge=2)
    queries: int = key("Query videos per class.", ("draw_episodes",), unit="videos", default=1, ge=1)
    in_all: int = key(
        "Queries that a test episode asks in all, drawn from all videos of its classes that are not its support's, so "
        "that a class may have none; at most `queries`. 0: all `queries` of each class. MML-FSAR's code has 5.",
        ("draw_episodes",),
        unit="videos",
        default=0,
        ge=0,
    )
    unknown: int = key(
        "Unknown queries of a test episode: they are of other test classes than the episode's, and no video "
        "appears twice. They change no accuracy. results/statistics/unknown.csv says how well methods "
        "recognise them (docs/unknown.md).",
        ("draw_episodes", *UNKNOWN),
        unit="videos",
        default=0,
        ge=0,
        le=1000,
    )
