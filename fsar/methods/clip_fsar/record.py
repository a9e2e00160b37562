"""CLIP-FSAR and its parts: prototypes modulated by text, and the video-text objective."""

from dataclasses import replace
from typing import Literal

from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import CLIP_FSAR_PAPER, FSOSAR, MOTION, with_motion
from fsar.methods.otam.record import OtamConfig
from fsar.methods.record import ON_TEST, Components, Method, PublicCode, Record
from fsar.methods.settings import dropout_key

CLIP_FSAR_CODE = PublicCode(
    code="alibaba-mmai-research/CLIP-FSAR, commit 30cf0a8",
    deviations="listed in docs/fidelity.md",
    code_selection=ON_TEST,
)

CLIP_FSAR = Components(head="clip_fsar")
TRANSFORMER_KEYS = ("depth", "heads", "feed_forward", "attention_dropout", "feed_forward_dropout", "merge")


class ClipFsarConfig(OtamConfig):
    """CLIP-FSAR; defaults as published."""

    modulation: bool = key(
        "Prototypes are modulated: frames pass through the temporal transformer, those of the support with the text "
        "of their class (Sec. 3.3).",
        HEAD,
        default=True,
    )
    video_text_weight: float = key(
        "λ_vt, weight of the video-text objective (Eq. 2 and 8); 0 leaves it out.", HEAD, default=1.5, ge=0
    )
    depth: int = key("Layers of the temporal transformer.", HEAD, default=1, ge=1, le=12)
    heads: int = key("Attention heads; must divide the backbone's width.", HEAD, default=8, ge=1)
    feed_forward: int = key("Hidden width of the feed-forward part.", HEAD, default=2048, ge=1)
    attention_dropout: float = dropout_key("Dropout after attention.", 0.2, HEAD)
    feed_forward_dropout: float = dropout_key("Dropout in the feed-forward part.", 0.05, HEAD)
    merge: Literal["before", "after"] = key(
        "Several support videos of a class are averaged before the temporal transformer, as published, or after it.",
        HEAD,
        default="before",
    )
    text_weight: float = key(
        "β, weight of the class names where a method decides by text and videos both (Eq. 7).",
        ("evaluate_model", "predict_clips"),
        default=0.9,
        ge=0,
        le=1,
    )

    @property
    def compares_with_text(self) -> bool:
        """Prototypes are modulated by the text of their class."""
        return self.modulation

    @property
    def reads_text(self) -> bool:
        """The video-text objective does, too."""
        return self.modulation or self.video_text_weight > 0

    def reads(self, key_name: str) -> bool:
        """The keys of the temporal transformer decide only where there is one."""
        return super().reads(key_name) and (self.modulation or key_name not in TRANSFORMER_KEYS)


RECORD = Record(
    title="CLIP-FSAR.",
    head=ClipFsarConfig,
    models={
        "clip-fsar": CLIP_FSAR,
        "otam-video-text": replace(CLIP_FSAR, fixed=(("modulation", False),)),
        "otam-modulation": replace(CLIP_FSAR, fixed=(("video_text_weight", 0.0),)),
        "clip-fsar-one-way": replace(CLIP_FSAR, fixed=(("metric", "otam_one_way"),)),
        "clip-fsar-bi-mhm": replace(CLIP_FSAR, fixed=(("metric", "bi_mhm"),)),
        "clip-fsar-trx": replace(CLIP_FSAR, fixed=(("metric", "trx"),)),
        "clip-fsar-mean-cosine": replace(CLIP_FSAR, fixed=(("metric", "mean_cosine"),)),
        "clip-fsar-head": replace(CLIP_FSAR, trains="head"),
        "clip-fsar-text-encoder": replace(CLIP_FSAR, trains_text=True),
        "clip-fsar-motion": with_motion(CLIP_FSAR),
        "clip-fsar-eos": replace(CLIP_FSAR, unknown="eos"),
    },
    methods={
        "clip-fsar": Method("CLIP-FSAR", CLIP_FSAR_PAPER, "CLIP-FSAR", **CLIP_FSAR_CODE),
        "clip-fsar-zero-shot": Method(
            "CLIP-FSAR zero-shot",
            f"{CLIP_FSAR_PAPER}, Table 10: the video-text similarities of the trained model alone",
            "CLIP-FSAR zero-shot",
            "clip-fsar",
            decides_by="text",
            **CLIP_FSAR_CODE,
        ),
        "clip-fsar-text": Method(
            "CLIP-FSAR + text",
            f"{CLIP_FSAR_PAPER}, Eq. 7 (†): few-shot and text probabilities, weighted by β",
            "CLIP-FSAR+text",
            "clip-fsar",
            decides_by="both",
            **CLIP_FSAR_CODE,
        ),
        "otam-video-text": Method(
            "OTAM + video-text", f"{CLIP_FSAR_PAPER}, Table 4: OTAM with the video-text objective", "OTAM + video-text"
        ),
        "otam-modulation": Method(
            "OTAM + prototype modulation",
            f"{CLIP_FSAR_PAPER}, Table 4: OTAM with text-modulated prototypes",
            "OTAM + prototype modulation",
        ),
        "clip-fsar-one-way": Method("CLIP-FSAR (OTAM, one direction)", CLIP_FSAR_PAPER),
        "clip-fsar-bi-mhm": Method("CLIP-FSAR (Bi-MHM)", f"{CLIP_FSAR_PAPER}, Table 3", "CLIP-FSAR (Bi-MHM)"),
        "clip-fsar-trx": Method("CLIP-FSAR (TRX)", f"{CLIP_FSAR_PAPER}, Table 3", "CLIP-FSAR (TRX)"),
        "clip-fsar-mean-cosine": Method("CLIP-FSAR (mean cosine)", CLIP_FSAR_PAPER),
        "clip-fsar-head": Method(
            "CLIP-FSAR, head alone", f"{CLIP_FSAR_PAPER}: its head trained on the frozen backbone"
        ),
        "clip-fsar-text-encoder": Method(
            "CLIP-FSAR, text encoder trained", f"{CLIP_FSAR_PAPER}, with the text encoder trained, too"
        ),
        "clip-fsar-motion": Method("CLIP-FSAR + motion", MOTION),
        "clip-fsar-eos": Method("CLIP-FSAR + eos", f"{FSOSAR}: answers to unknown queries are trained to be flat"),
    },
)
