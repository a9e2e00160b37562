"""What is known of a backbone without building it: its architecture, its pictures, what it needs to be installed.

Nothing here imports PyTorch for a model of open_clip, or for one of timm whose facts are in a table (`timm_facts.py`),
so that a config is checked quickly. A run may be planned in an environment that has neither library.
"""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fsar.errors import UserError
from fsar.keys.bounds import LayerFacts
from fsar.packaged_weights import PACKAGED
from fsar.timm_facts import PLAIN, is_plain_transformer, timm_facts
from fsar.video_encoders import REVISION, VIDEO_LIBRARIES, VideoEncoder
from fsar.video_encoders import described as described_video

# Architectures of this project, beside those of open_clip.
OWN_ARCHITECTURES = Path(__file__).parent / "model" / "architectures"
# What the text encoders and tokenizers of Hugging Face need; the extra "text" of pyproject.toml.
TEXT_EXTRA = VIDEO_EXTRA = 'pip install "transformers>=5"'

# What holds the words of a tokenizer of Hugging Face; one of them is enough.
VOCABULARIES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "tokenizer.model",
    "spiece.model",
    "sentencepiece.bpe.model",
)
# Architectures and tags of torchvision's weights for encoders of video.
TORCHVISION_WEIGHTS = (("r2plus1d_18", "KINETICS400_V1"),)


@dataclass(frozen=True)
class BackboneFacts:
    """What a config needs to know of a backbone.

    Attributes:
        size: side of the square pictures it is given, in pixels.
        needs: a package that is needed for it and is not among those always installed; empty if there is none.
        transformer: it is a visual transformer with plain blocks (`fsar.methods.blocks.vision_transformer`).
        layers: of that, where they are known without building it.
        video: what is known of an encoder of video; None of one of pictures.
    """

    size: int
    needs: str = ""
    transformer: bool = False
    layers: LayerFacts | None = None
    video: VideoEncoder | None = None


def is_weights_file(weights: str) -> bool:
    """Tell a local weights file from a pretrained tag: no tag has a dot or a folder in its name."""
    return "." in weights or "/" in weights


def backbone_facts(library: str, model: str, weights: str, size: int) -> BackboneFacts:
    """Look a backbone up; arguments as the keys of its section.

    Raises:
        UserError: no such architecture or tag, or its pictures are not square.
    """
    if library in VIDEO_LIBRARIES:
        return _video_facts(library, model, weights, size)
    if library == "timm":
        if known := timm_facts(model, weights):
            return BackboneFacts(size or square(known.size, model), transformer=known.transformer)
        _, about = timm_weights(model, weights)
        size = size or square(about.input_size[1:], model)
        needs = weights if weights in PACKAGED else ""
        return BackboneFacts(size, needs, transformer=_of_timm_transformer(model))
    described = open_clip_architecture(model)
    text = described["text_cfg"]
    # open_clip takes SigLIP's tokenizer for what is named after it.
    named = "siglip" in Path(model).stem.lower()
    hugging_face = text.get("hf_model_name") or text.get("hf_tokenizer_name") or named
    vision = described["vision_cfg"]
    size = size or square(vision.get("image_size", 224), model)
    found = None
    if "timm_model_name" in vision:
        transformer = _of_timm_transformer(vision["timm_model_name"])
    else:  # ResNets have a number of layers for each stage
        other = ("attentional_pool", "block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn")
        layers = vision.get("layers", 12)
        transformer = isinstance(layers, int) and not any(vision.get(name) for name in other)
        if transformer:
            side = size // square(vision.get("patch_size", 16), model)
            found = LayerFacts(layers, vision.get("width", 768), side, text.get("layers", 12))
    return BackboneFacts(size, "transformers" if hugging_face else "", transformer, found)


def _video_facts(library: str, model: str, weights: str, size: int) -> BackboneFacts:
    video = described_video(model, weights)
    if video.library != library:
        raise UserError(
            f"{model} describes {video.title}, which is {video.library}'s, and its library is {library}: set library "
            f"to {video.library} (key backbones.….library)"
        )
    if library == "transformers":
        return BackboneFacts(size or video.size, "transformers", video=video)
    if not is_weights_file(weights) and (model, weights) not in TORCHVISION_WEIGHTS:
        known = " or ".join(f"{tag} for {name}" for name, tag in TORCHVISION_WEIGHTS)
        raise UserError(
            f"torchvision has no weights {weights!r} for {model}; it has {known} (key backbones.….weights, which also "
            "takes a local file)"
        )
    return BackboneFacts(size or video.size, video=video)


def check_words(named: str, video: VideoEncoder | None) -> None:
    """Check a text encoder whose words a backbone is given, as far as is known without loading it.

    Args:
        named: a folder, or a repository of the hub, `@` and its commit.
        video: the backbone as an encoder of video; None of one of pictures.

    Raises:
        UserError: neither, or its words are of another width than the features of the encoder of video.
    """
    name, at, commit = named.partition("@")
    if at and (not name or len(commit) != REVISION or set(commit) - set("0123456789abcdef")):
        raise UserError(
            f"backbones.….words is {named!r}: name a repository of the hub, and after the @ its commit, 40 hexadecimal "
            "digits"
        )
    if at:
        return  # nothing is downloaded while a run is planned
    try:
        width = json.loads((Path(name) / "config.json").read_text(encoding="utf-8")).get("hidden_size")
    except (OSError, ValueError, AttributeError):
        raise UserError(
            f"backbones.….words is {named!r}, and there is no description {name}/config.json: name a folder with "
            "config.json, model.safetensors and a tokenizer, or a repository of the hub with its commit, as NAME@COMMIT"
        ) from None
    files = words_files(named)
    if not any(file.suffix == ".safetensors" for file in files) or not any(file.name in VOCABULARIES for file in files):
        raise UserError(
            f"backbones.….words is {named!r}, where weights (model.safetensors) or a tokenizer "
            f"({', '.join(VOCABULARIES)}) are missing: put them there as the hub has them"
        )
    if video is not None and not video.has_text and width != video.width:
        raise UserError(
            f"The words of {named} have {width} numbers, and the features of {video.title} {video.width}: name a text "
            "encoder of the same width (key backbones.….words)"
        )


def words_files(named: str) -> list[Path]:
    """Return the files of a text encoder in a folder (`backbones.….words`); none of one of the hub, or of no name."""
    kinds = (".json", ".txt", ".model", ".safetensors")  # of descriptions, vocabularies and weights
    return sorted(file for file in Path(named).glob("*") if file.suffix in kinds and file.is_file()) if named else []


def _of_timm_transformer(model: str) -> bool:
    """Tell whether an architecture of timm is of its module of plain visual transformers."""
    if (known := is_plain_transformer(model)) is not None:
        return known
    timm: Any = import_module("timm")
    registered: Any = import_module("timm.models._registry")
    architecture = model.partition(".")[0]
    return timm.is_model(architecture) and registered._model_to_module.get(architecture) == PLAIN


def square(size: Any, model: str) -> int:
    """Return the side of a square picture, given as one number or as two.

    Raises:
        UserError: it is not square.
    """
    sides = set(size) if isinstance(size, Collection) else {size}
    if len(sides) > 1:
        raise UserError(
            f"The pictures of {model} are {' × '.join(map(str, size))} pixels; stored frames are square, and so must "
            "they be: set backbones.….size to one side, if the architecture can take it"
        )
    return int(sides.pop())


def open_clip_architecture(model: str) -> dict[str, Any]:
    """Read the description of one of open_clip's architectures, by its name or from a JSON file of one's own.

    Raises:
        UserError: no such file or name, or the file describes none.
    """
    if not model.endswith(".json"):
        files = _architecture_files()
        if model not in files:
            close = difflib.get_close_matches(model, files, n=3)
            raise UserError(
                f"open_clip has no architecture {model!r} (key backbones.….model)"
                + (f"; did you mean {' or '.join(close)}?" if close else "")
            )
        return json.loads(files[model].read_text(encoding="utf-8"))
    try:
        described = json.loads(Path(model).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"The architecture {model} cannot be read: {error}") from None
    missing = {"embed_dim", "vision_cfg", "text_cfg"} - set(described if isinstance(described, Mapping) else ())
    if missing:
        raise UserError(f"The architecture {model} lacks {', '.join(sorted(missing))}; see fsar/model/architectures/")
    return described


def _architecture_files() -> dict[str, Path]:
    """Return the files that describe open_clip's architectures and this project's, by name."""
    spec = find_spec("open_clip")
    folders = [*(spec.submodule_search_locations or [] if spec else []), str(OWN_ARCHITECTURES)]
    return {file.stem: file for folder in folders for file in sorted(Path(folder).glob("**/*.json"))}


def timm_weights(model: str, weights: str) -> tuple[str, Any]:
    """Return timm's name of an architecture with its tag, and what timm knows of these weights.

    Args:
        model: an architecture, such as `resnet50`; with a tag where `weights` is a file: what was done to its pictures
            is then as with that tag, or else as with the architecture's first.
        weights: a tag, such as `tv_in1k`, a local file, or a package that carries them (`fsar.packaged_weights`).

    Raises:
        UserError: no such architecture or tag.
    """
    timm: Any = import_module("timm")  # takes seconds, for which only who uses it waits

    architecture, _, tag = model.partition(".")
    if not timm.is_model(architecture):
        close = difflib.get_close_matches(architecture, timm.list_models(), n=3)
        raise UserError(
            f"timm has no architecture {architecture!r} (key backbones.….model)"
            + (f"; did you mean {' or '.join(close)}?" if close else "")
        )
    if weights in PACKAGED:
        own = PACKAGED[weights].architecture
        if architecture != own.partition(".")[0]:
            raise UserError(f"The package {weights} has weights of {own}, and backbones.….model is {model!r}")
        tag = own.partition(".")[2]
    elif not is_weights_file(weights):
        if tag not in ("", weights):
            raise UserError(f"backbones.….model is {model!r} and weights is {weights!r}: two tags; leave {tag!r} out")
        tag = weights
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise UserError(
            f"timm has no weights {tag!r} for {architecture}; it has: {', '.join(tags) or 'none'} "
            "(key backbones.….weights, which also takes a local file)"
        )
    name = f"{architecture}.{tag}" if tag else architecture
    return name, timm.get_pretrained_cfg(name)
