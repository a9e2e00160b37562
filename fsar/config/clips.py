"""What does not fit together in how many frames of a video a backbone looks at, found before any job starts."""

from collections.abc import Iterable

from fsar.config.config import Config
from fsar.config.merged import MergedConfig
from fsar.errors import UserError


def wrong_clips(config: Config, benchmark: str) -> Iterable[str]:
    """Say where stored frames, or a backbone, cannot give the clips that are asked for."""
    keep = config.videos(benchmark).frames.keep
    for backbone in config.backbones_used(benchmark):
        about, sampling = config.backbones[backbone], config.sampling_of(benchmark, backbone)
        if keep and sampling.strategy == "windows":
            yield (
                f"frames.keep of benchmark {benchmark!r} is {keep}, but sampling.strategy with {backbone!r} is windows"
                ", which looks at frames that follow one another: set frames.keep to 0, and all are stored"
            )
        elif about.video and keep and keep < sampling.frames:
            yield (
                f"frames.keep of benchmark {benchmark!r} is {keep}, but the backbone {backbone!r} looks at "
                f"{sampling.frames} frames of a video; the nearest valid value is {sampling.frames}, or 0 for all"
            )
        if sampling.strategy == "windows" and sampling.frames % sampling.window:
            yield (
                f"sampling.frames of benchmark {benchmark!r} with the backbone {backbone!r} is {sampling.frames}, no "
                f"multiple of sampling.window, {sampling.window}; the nearest valid value is "
                f"{max(sampling.frames // sampling.window, 1) * sampling.window}"
            )


def wrong_features(settings: MergedConfig, method: str, needed: int, why: str) -> Iterable[str]:
    """Say where a method is given too few features of a video.

    Args:
        settings: of its model.
        method: its name.
        needed, why: `HeadSettings.least_frames`.
    """
    benchmark, backbone = settings.benchmark, settings.backbone_name
    try:
        frames = settings.steps
    except UserError as error:
        yield f"benchmark {benchmark!r} with the backbone {backbone!r}: {error}"
        return
    if needed > frames and settings.backbone.video:
        yield (
            f"method {method!r} {why}, and needs {needed} features of a video, but of benchmark {benchmark!r} "
            f"the encoder of video {backbone!r} gives {frames}: take it out, or set "
            f"backbones.{backbone}.features to steps, or its sampling.frames to more clips"
        )
    elif needed > frames:
        yield (
            f"method {method!r} {why}, but sampling.frames of benchmark {benchmark!r} is {frames}; the "
            f"nearest valid value is {needed}"
        )
