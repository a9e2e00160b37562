"""What is known of an encoder of video without building it, from the JSON that describes it.

Nothing here imports PyTorch or transformers, so that a config is checked quickly and where neither is installed.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from fsar.errors import UserError

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
R2PLUS1D = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))  # torchvision's, of Kinetics-400
# Encoders of this project, small enough for the demo.
OWN_ENCODERS = Path(__file__).parent / "model" / "video_architectures"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
# A commit of the hub: the only name of weights there that cannot come to mean others.
REVISION = 40


@dataclass(frozen=True)
class Family:
    """A kind of encoder, by its `model_type`.

    Attributes:
        title: what it is called.
        defaults: the library's, for what a description leaves out: frames of a clip, frames of a time step, side of the
            pictures and of a patch in pixels, width of a token, blocks.
        names: what the description calls frames, time step, side, patch, width and blocks.
        pixels: mean and standard deviation of red, green and blue, from 0 to 1, by which the encoder was trained.
        has_text: there is a text encoder beside it.
        section: of the description; the description itself if empty.
        library: whose it is.
    """

    title: str
    defaults: tuple[int, int, int, int, int, int]
    names: tuple[str, str, str, str, str, str]
    pixels: tuple[tuple[float, ...], tuple[float, ...]] = IMAGENET
    has_text: bool = False
    section: str = ""
    library: str = "transformers"


_NAMES = ("num_frames", "tubelet_size", "image_size", "patch_size", "hidden_size", "num_hidden_layers")
FAMILIES = {
    "videomae": Family("VideoMAE", (16, 2, 224, 16, 768, 12), _NAMES),
    "xclip": Family("X-CLIP", (8, 1, 224, 32, 768, 12), _NAMES, has_text=True, section="vision_config"),
    "timesformer": Family("TimeSformer", (8, 1, 224, 16, 768, 12), _NAMES, ((0.45,) * 3, (0.225,) * 3)),
    "vivit": Family("ViViT", (32, 2, 224, 16, 768, 12), _NAMES, HALF),
    "vjepa2": Family(
        "V-JEPA 2", (64, 2, 256, 16, 1024, 24), ("frames_per_clip", "tubelet_size", "crop_size", *_NAMES[3:])
    ),
    "videoprism_vision_model": Family(
        "VideoPrism", (16, 1, 288, 18, 768, 12), (*_NAMES[:5], "num_spatial_layers"), ((0.0,) * 3, (1.0,) * 3)
    ),
    "pe_video": Family("Perception Encoder", (16, 1, 336, 14, 1024, 6), _NAMES, HALF, has_text=True),
    "r2plus1d": Family("R(2+1)D", (16, 8, 112, 16, 512, 8), _NAMES, R2PLUS1D, library="torchvision"),
}  # fmt: skip
VIDEO_LIBRARIES = frozenset(family.library for family in FAMILIES.values())


@dataclass(frozen=True)
class VideoEncoder:
    """What a config needs to know of an encoder of video.

    Attributes:
        family: its `model_type`.
        title: what that is called.
        frames: of a clip, F.
        steps: time steps that a clip gives, t.
        size: side of the square pictures, in pixels.
        grid: patches of a side, so a clip gives t · grid² tokens.
        width, depth: of its tokens, and its blocks.
        mean, std: of pixels, by which they are normalised.
        has_text: there is a text encoder beside it.
    """

    family: str
    title: str
    frames: int
    steps: int
    size: int
    grid: int
    width: int
    depth: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    has_text: bool

    @property
    def library(self) -> str:
        """Whose it is, as `backbones.….library` has it."""
        return FAMILIES[self.family].library

    @property
    def all_places(self) -> bool:
        """Whether the tokens of its blocks are all places of a clip, in order, and no other tokens."""
        return self.family in ("videomae", "vjepa2")

    def clips(self, frames: int) -> int:
        """Return how many clips the T frames of a video are.

        Fewer frames than a clip has are each given several times in a row, as SAFSAR gives VideoMAE each of 8 twice.

        Raises:
            UserError: they are no whole number of clips, and no whole part of one.
        """
        if frames % self.frames and self.frames % frames:
            near = max(frames // self.frames, 1) * self.frames
            raise UserError(
                f"{self.title} looks at clips of {self.frames} frames, and sampling.frames is {frames}: it must be a "
                f"multiple of {self.frames}, one for each clip, or divide it; the nearest valid value is {near} "
                "(backbones.….sampling.frames)"
            )
        return max(frames // self.frames, 1)


def described(model: str, weights: str) -> VideoEncoder:
    """Look an encoder of video up by its description.

    Args:
        model: the description, a JSON file (`config.json` of a folder); one of this project's, such as
            `small-videomae`; or a name of the hub, such as `MCG-NJU/videomae-base`.
        weights: of the hub, the commit whose weights these are; not looked at for a file.

    Raises:
        UserError: the description cannot be had or read, or is of another kind of model.
    """
    about = read_description(model, weights)
    family = FAMILIES.get(kind := str(about.get("model_type")))
    if family is None:
        known = ", ".join(f"{name} ({own.title})" for name, own in FAMILIES.items())
        raise UserError(
            f"{model} describes a model of the kind {kind!r}, which is not among the encoders of video: {known}"
        )
    own = _completed(kind, about.get(family.section) or {} if family.section else about, model)
    frames, step, size, patch, width, depth = (
        _number(own, name, default, model) for name, default in zip(family.names, family.defaults, strict=True)
    )
    if isinstance(tubelet := own.get("tubelet_size"), list):  # a step, and both sides of a patch
        patch = _number({"tubelet_size": tubelet[1:]}, "tubelet_size", patch, model)
    if min(frames, step, size, patch, width, depth) < 1 or frames % step or size % patch:
        raise UserError(
            f"The description {model} is of no model: {frames} frames in steps of {step}, {size} pixels in patches of "
            f"{patch}"
        )
    mean, std = (
        tuple(about.get(f"image_{name}", value)) for name, value in zip(("mean", "std"), family.pixels, strict=True)
    )
    return VideoEncoder(
        kind, family.title, frames, frames // step, size, size // patch, width, depth, mean, std, family.has_text
    )


def library_of(path: str) -> str:
    """Return whose encoder of video a JSON file describes; empty if it cannot be read, or describes another model."""
    try:
        kind = str(read_description(path, "").get("model_type"))
    except UserError:
        return ""
    return FAMILIES[kind].library if kind in FAMILIES else ""


# How many channels R(2+1)D has between both convolutions of a pair; the first where a description does not say.
INNER_WIDTHS = ("of_block", "of_convolution")
# Widths of the Perception Encoder's encoder of pictures, by the size in timm's name of it.
_PE_WIDTHS = {"tiny": 192, "small": 384, "base": 768, "large": 1024, "gigantic": 1536}
_PE_NAME = re.compile(r"vit_pe_core_([a-z]+)_patch(\d+)_(\d+)")


def _completed(kind: str, about: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """Return a description with the sizes that follow from others of its entries.

    Raises:
        UserError: these are not of the family.
    """
    if kind == "r2plus1d":
        layers, widths, inner = about.get("layers"), about.get("widths"), about.get("inner_width", INNER_WIDTHS[0])
        if not all(
            isinstance(each, list) and len(each) == 4 and all(type(size) is int and size > 0 for size in each)
            for each in (layers, widths)
        ):
            raise UserError(
                f"The description {model} of an R(2+1)D needs four layers and four widths, whole numbers from 1 on"
            )
        if inner not in INNER_WIDTHS:
            raise UserError(f"The description {model} has {inner!r} for inner_width; it is {' or '.join(INNER_WIDTHS)}")
        assert isinstance(layers, list) and isinstance(widths, list)
        return {**about, "hidden_size": widths[-1], "num_hidden_layers": sum(layers), "tubelet_size": 8}
    if kind == "pe_video":
        video = _part(about, "video_config", model)
        vision = _part(video, "vision_config", model)
        named = _PE_NAME.match(str(vision.get("architecture", "vit_pe_core_large_patch14_336")))
        if named is None or named[1] not in _PE_WIDTHS:
            raise UserError(f"The description {model} has {vision.get('architecture')!r} for its encoder of pictures")
        sizes = {"embed_dim": _PE_WIDTHS[named[1]], "patch_size": int(named[2]), "img_size": int(named[3])}
        sizes |= _part(vision, "model_args", model)
        return {
            "num_frames": about.get("num_frames", 16),
            "image_size": sizes["img_size"],
            "patch_size": sizes["patch_size"],
            "hidden_size": sizes["embed_dim"],
            "num_hidden_layers": video.get("num_hidden_layers", 6),
            "tubelet_size": 1,
        }
    return about


def _part(about: Mapping[str, Any], name: str, model: str) -> dict[str, Any]:
    """Return a part of a description, empty if it is left out."""
    found = about.get(name) or {}
    if not isinstance(found, dict):
        raise UserError(f"The description {model} has {found!r} for {name}, which holds no names and values")
    return found


def own_description(model: str) -> Path:
    """Return the file of an encoder of this project, which need not be there."""
    return OWN_ENCODERS / f"{model}.json"


@lru_cache
def _read(path: str, time: int) -> Any:
    """Read JSON once, as long as the file is the same by its time of modification."""
    return json.loads(Path(path).read_text(encoding="utf-8"))


def _number(about: Mapping[str, Any], name: str, default: int, model: str) -> int:
    """Return a number of a description, given as one or as several equal ones; of a tubelet, its frames."""
    value = about.get(name, default)
    if isinstance(value, list):
        value = value[0] if len(value) == 3 or len(set(value)) == 1 else None
    if not isinstance(value, int):
        raise UserError(f"The description {model} has {about.get(name)!r} for {name}, which is no whole number")
    return value


def read_description(model: str, weights: str) -> dict[str, Any]:
    """Read the JSON file that describes an encoder; arguments and errors as those of `described`."""
    if not model.endswith(".json") and "/" not in model and not own_description(model).is_file():
        names = ", ".join(sorted(path.stem for path in OWN_ENCODERS.glob("*.json")))
        raise UserError(
            f"There is no encoder of video {model!r} (key backbones.….model): name a repository of the hub, such as "
            f"MCG-NJU/videomae-base, a JSON file, or one of {names}"
        )
    own = model if model.endswith(".json") else str(own_description(model))
    path = fetched(model, weights, CONFIG) if "/" in model and own != model else own
    try:
        about = _read(path, Path(path).stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise UserError(f"The description {path} cannot be read: {error} (key backbones.….model)") from None
    if not isinstance(about, dict):
        raise UserError(f"The description {path} is no model's: it holds no names and values")
    return about


@cache
def fetched(model: str, revision: str, file: str) -> str:
    """Return where a file of the hub lies on this machine, after downloading it if it does not yet.

    Args:
        model: its repository, such as `MCG-NJU/videomae-base`.
        revision: the commit, 40 hexadecimal digits: a branch may come to mean other weights.
        file: its name there.

    Raises:
        UserError: no such name or commit, or no network.
    """
    if len(revision) != REVISION or set(revision) - set("0123456789abcdef"):
        raise UserError(
            f"backbones.….weights of {model} is {revision!r}: name the commit of its repository, 40 hexadecimal digits "
            "(on the hub: Files, History), since a branch may change; or name two files, model: …/config.json and "
            "weights: …/model.safetensors"
        )
    try:
        hub: Any = import_module("huggingface_hub")  # jobs that decode or draw tables have none, and ask for nothing
    except ImportError:
        raise UserError(f"{model} is a name of the hub, and huggingface-hub is not installed") from None
    if isinstance(found := hub.try_to_load_from_cache(model, file, revision=revision), str):
        return found
    try:
        return str(hub.hf_hub_download(model, file, revision=revision))
    except Exception as error:  # the hub client's own, and those of the network
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"{file} of {model} at {revision} could not be downloaded: {reason}\n"
            "Without a network, put it on this machine once: from one that has a network, run\n"
            f"hf download {model} {CONFIG} {WEIGHTS} --revision {revision} --local-dir FOLDER\n"
            "copy the folder, and name its files: model: FOLDER/config.json and weights: FOLDER/model.safetensors."
        ) from None
