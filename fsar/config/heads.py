"""The settings of the heads other than CLIP-FSAR's: a section for each, `heads.<name>` in the config."""

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, field_validator

from fsar.keys.bounds import Bound, FittedSection, LayerFacts
from fsar.keys.declare import HEAD, LARGEST_SEED, Section, key, section

TRAINING = ("train_model",)

# A value for one support video of a class, and one for several.
OneAndSeveral = Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)]
# Frames in a tuple. The number of tuples grows fast: 8 frames have 28 pairs, 56 triples, 70 of four.
Cardinality = Annotated[int, Field(ge=1, le=4)]


class TuplesConfig(Section):
    """Tuples of frames, of the heads that compare these."""

    tuple_width: int = key("Width of the keys and values of tuples of frames.", HEAD, default=1152, ge=1)


class TrxConfig(TuplesConfig):
    """TRX; defaults as published."""

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; the distance is the mean over these.", HEAD, once=True, default=[2, 3], min_length=1
    )
    dropout: float = key(
        "Dropout of frames after their positions are added.", HEAD, unit="probability", default=0.1, ge=0, lt=1
    )


class StrmConfig(TuplesConfig):
    """STRM; defaults as in its published scripts."""

    cardinalities: list[Cardinality] = key(
        "Frames in a tuple; of each metric the distance is the mean over these.",
        HEAD,
        once=True,
        default=[2],
        min_length=1,
    )
    dropout: float = key(
        "Dropout of patches and of frames after their positions are added, and of frames before the second metric.",
        HEAD,
        unit="probability",
        default=0.1,
        ge=0,
        lt=1,
    )
    grid: int = key("A frame's map is pooled to so many patches a side.", HEAD, unit="patches", default=4, ge=1)
    second_metric: Literal["registered", "published"] = key(
        "The second metric is trained, as the paper describes it; or, as in the public code, stays as it was drawn at "
        "the start, with its dropout on in evaluation as well.",
        HEAD,
        default="registered",
    )
    second_metric_weight: float = key(
        "Weight of the second metric, in the loss and in the decision.", HEAD, default=0.1, ge=0
    )
    second_metric_seed: int = key(
        "Seed of the published second metric: of its layer, and of what its dropout drops in evaluation.",
        HEAD,
        default=0,
        ge=0,
        le=LARGEST_SEED,
    )


class TeamConfig(Section):
    """TEAM; defaults as published for ResNet-50 and 1 shot."""

    tokens: int = key("Pattern tokens.", HEAD, unit="tokens", default=60, ge=1)
    dropout: float = key(
        "Dropout of frames after their positions are added, of attention and of what it finds.",
        HEAD,
        unit="probability",
        default=0.1,
        ge=0,
        lt=1,
    )
    negative_weight: float = key(
        "Weight of the distance of negative patterns, in the loss and in the decision.", HEAD, default=1.0, ge=0
    )


class RelationConfig(Section):
    """What HyRSM, HyRSM++ and MoLo share: positions added to scaled features, and attention over the frames."""

    feature_divisor: float = key(
        "A: features are multiplied by √(D/A) before positions are added to them.", HEAD, default=10.0, gt=0
    )
    position_scale: float = key("B, which positions are multiplied by.", HEAD, default=1.0, ge=0)
    heads: int = key("Attention heads; must divide the backbone's width.", HEAD, default=8, ge=1)
    position_dropout: float = key(
        "Dropout after positions are added.", TRAINING, unit="probability", default=0.1, ge=0, lt=1
    )
    attention_dropout: float = key(
        "Dropout after the attention over frames.", TRAINING, unit="probability", default=0.2, ge=0, lt=1
    )


class HyrsmConfig(RelationConfig):
    """HyRSM; defaults as published."""

    items: Literal["prototypes", "videos"] = key(
        "What a query is related to: the mean of each class's support videos, as published for several of them, or "
        "all support videos, whose distances are averaged afterwards. With one support video both are the same.",
        HEAD,
        default="prototypes",
    )
    relation_dropout: float = key(
        "Dropout of the attention between videos.", TRAINING, unit="probability", default=0.1, ge=0, lt=1
    )
    relation_output_dropout: float = key(
        "Dropout after the attention between videos.", TRAINING, unit="probability", default=0.05, ge=0, lt=1
    )
    classification_weight: float = key(
        "λ, weight of the classification of frames into the training classes.", TRAINING, default=0.15, ge=0
    )


class HyrsmppConfig(HyrsmConfig):
    """HyRSM++; defaults as published."""

    classification_weight: float = key(
        "λ, weight of the classification of frames into the training classes.", TRAINING, default=0.6, ge=0
    )
    coherence_weight: float = key("Weight of the temporal coherence loss.", TRAINING, default=0.3, ge=0)
    window: int = key("w: frames at most so far apart are near.", TRAINING, unit="frames", default=3, ge=0)
    falloff: float = key(
        "τ: how slowly the distance that is asked of far frames grows with their distance in time.",
        TRAINING,
        default=23.0,
        gt=0,
    )
    far_weight: float = key("β, weight of far frames against near ones.", TRAINING, default=10.0, ge=0)


class MoloConfig(RelationConfig):
    """MoLo; defaults as published."""

    feed_forward: int = key("Hidden width of the feed-forward part.", HEAD, default=2048, ge=1)
    feed_forward_dropout: float = key(
        "Dropout in the feed-forward part.", TRAINING, unit="probability", default=0.05, ge=0, lt=1
    )
    motion_weight: float = key("Weight of the motion branch in the logits.", HEAD, default=0.3, ge=0)
    classification_weight: float = key(
        "λ, weight of the classification of videos into the training classes.", TRAINING, default=0.4, ge=0
    )
    contrast_weight: float = key("Weight of each of the four long-short contrasts.", TRAINING, default=0.05, ge=0)
    reconstruction_weight: float = key(
        "Weight of the reconstruction of frame differences in the loss of an episode: four times the published one, "
        "since the public code divides every other loss by the four episodes of a step.",
        TRAINING,
        default=0.2,
        ge=0,
    )


class TaskAdapterConfig(Section):
    """Task-Adapter++; defaults as published, but for the orientation."""

    logit_scale: float = key(
        "What the product of both similarities is multiplied by, to be a logit.", HEAD, default=64.0, gt=0
    )
    aligned_norm: bool = key(
        "LayerNorm of what the frames of queries find in the next ones, as published for SSv2-Full.",
        HEAD,
        default=False,
    )
    orientation: Literal["matched", "published"] = key(
        "A query's similarity with a class's videos is multiplied by that with the same class's texts; or, as in the "
        "public code, by that of another pair, so that the true class chooses the text: only for as many queries as "
        "classes, one of each in their order.",
        HEAD,
        default="matched",
    )


class TsfsarConfig(FittedSection):
    """TS-FSAR; defaults as published for Kinetics."""

    side_width: int = key(
        "d, width of the side network; at most that of the backbone's transformer.", HEAD, default=256, ge=2
    )
    head_width: int = key(
        "Width of an attention head of the side network; must divide its width.", HEAD, default=64, ge=1
    )
    temporal_layers: list[Annotated[int, Field(ge=0)]] = key(
        "Blocks of the side network, from 0, whose attention is over the frames at each place of a token.",
        HEAD,
        once=True,
        default=[6, 8, 10],
    )
    gate_temperature: float = key(
        "What the gates of the side network are divided by before their sigmoid.", HEAD, default=0.1, gt=0
    )
    adapter_heads: int = key(
        "Attention heads over the frames of CLIP's features; must divide their width.", HEAD, default=8, ge=1
    )
    adapter_ratio: float = key(
        "ρ: of CLIP's features 2 − ρ is kept, and ρ added of what attention over the frames finds.",
        HEAD,
        default=0.4,
        ge=0,
        le=2,
    )
    alpha: float = key(
        "α, exponent of the squared distances between channels; 0.5 would be the distances.", HEAD, default=0.4, gt=0
    )
    text_scale: OneAndSeveral = key(
        "τ, what cosines with texts are multiplied by; for one support video of a class, and several.",
        HEAD,
        default=[50.0, 50.0],
    )
    few_shot_power: OneAndSeveral = key(
        "a, power of the probabilities by the support videos, in the decision; for one of a class, and several.",
        HEAD,
        default=[0.15, 0.15],
    )
    text_clip_power: OneAndSeveral = key(
        "b, power of the probabilities by texts and CLIP's features; for one support video of a class, and several.",
        HEAD,
        default=[0.8, 0.8],
    )
    text_side_power: OneAndSeveral = key(
        "c, power of the probabilities by texts and the side network; for one support video of a class, and several.",
        HEAD,
        default=[0.05, 0.05],
    )
    dropout: float = key("Dropout before the classification.", TRAINING, unit="probability", default=0.7, ge=0, lt=1)
    classification_weight: float = key(
        "Weight of the classification of videos into the training classes.", TRAINING, default=0.5, ge=0
    )
    text_side_weight: OneAndSeveral = key(
        "Weight of the comparison of the side network with the texts of all training classes; for one support video of "
        "a class, and several.",
        TRAINING,
        default=[1.0, 1.0],
    )
    distillation_weight: OneAndSeveral = key(
        "Weight of the comparison of CLIP's features with the texts of all training classes, and of the distillation "
        "from that into the classification; for one support video of a class, and several.",
        TRAINING,
        default=[6.0, 6.0],
    )
    distillation_temperature: float = key("Temperature of the distillation.", TRAINING, default=10.0, gt=0)
    generator_learning_rate_factor: float = key(
        "Multiplies the learning rate of what makes a query's weights of pairs of frames.", TRAINING, default=0.5, gt=0
    )
    adapter_learning_rate_factor: float = key(
        "Multiplies the learning rate of the attention over the frames of CLIP's features.",
        TRAINING,
        default=0.5,
        gt=0,
    )

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("temporal_layers", max(self.temporal_layers, default=0), layers.depth - 1)
        yield Bound("side_width", self.side_width, layers.width)


class ClipspmConfig(Section):
    """CLIP-SPM; defaults as published for HMDB51 and SSv2-Small."""

    episode_token: Literal["classes", "labels"] = key(
        "What a training episode's token is the mean of: the texts of its classes, or, as in the public code, those of "
        "all its videos, by the labels of the queries too. With as many queries of each class both are the same. Tests "
        "look at the classes alone: the labels of other queries would tell what is asked.",
        TRAINING,
        default="classes",
    )
    text_strength: float = key("α, what a token adds to the frames of a video is multiplied by.", HEAD, default=0.2)
    slope: float = key("ν, slope of the gates' leaky ReLU below 0.", HEAD, default=0.0025, ge=0)
    text_gate: float = key("Hidden width of the gate of tokens, as a multiple of D.", HEAD, default=1.5, gt=0)
    frame_gate: float = key("Hidden width of the gate of frames, as a multiple of D.", HEAD, default=0.5, gt=0)
    heads: int = key("Attention heads.", HEAD, default=8, ge=1)
    head_width: int = key("Width of each attention head.", HEAD, default=256, ge=1)
    feed_forward: int = key("Hidden width of the feed-forward parts.", HEAD, default=2048, ge=1)
    attention_dropout: float = key("Dropout after attention.", TRAINING, unit="probability", default=0.2, ge=0, lt=1)
    feed_forward_dropout: float = key(
        "Dropout in the feed-forward parts.", TRAINING, unit="probability", default=0.05, ge=0, lt=1
    )
    smoothing: float = key("λ of the softmin in OTAM.", HEAD, default=0.5, gt=0)
    local_weight: float = key(
        "Weight of the distances before the videos of an episode see one another.", HEAD, default=0.5, ge=0
    )
    motion_weight: float = key(
        "Weight of the motion loss of an episode: sixteen times the published one, since the public code divides only "
        "the other loss by the sixteen episodes of a step.",
        TRAINING,
        default=0.016,
        ge=0,
    )


class EmpnetConfig(FittedSection):
    """EMP-Net; defaults as published."""

    levels: list[Annotated[int, Field(ge=0)]] = key(
        "Blocks of the backbone whose tokens are looked at, in rising order; 0 is before the first.",
        HEAD,
        default=[4, 8, 12],
        min_length=1,
    )
    heads: int = key("Attention heads, each of width D / 8.", HEAD, default=4, ge=1)
    attention_dropout: float = key("Dropout after attention.", TRAINING, unit="probability", default=0.2, ge=0, lt=1)
    feed_forward_dropout: float = key(
        "Dropout in the feed-forward parts.", TRAINING, unit="probability", default=0.05, ge=0, lt=1
    )
    top_patches: int = key(
        "So many patches that are most like a class's text tell how like it a video is; all of a smaller grid.",
        HEAD,
        unit="patches",
        default=49,
        ge=1,
    )
    top_frames: int = key("The same of frames.", HEAD, unit="frames", default=2, ge=1)
    merge_before: bool | Literal["auto"] = key(
        "Several support videos of a class are averaged before the text is fused into them, or after it; auto: before, "
        "as in every published setting with several.",
        HEAD,
        default="auto",
    )
    smoothing: float = key("λ of the softmin in OTAM.", HEAD, default=0.5, gt=0)
    cross_entropy: Literal["logits", "probabilities"] = key(
        "Of what a cross-entropy is: of logits, or, as in the public code, of probabilities, to which it applies a "
        "second softmax, so that with five classes it cannot fall below 0.905.",
        TRAINING,
        default="logits",
    )
    text_loss_weight: float = key("Weight of the loss of class names.", TRAINING, default=1.0, ge=0)
    text_score_weight: float = key(
        "Weight of the probabilities by class names against those by support videos, in the decision.",
        HEAD,
        default=1.0,
        ge=0,
    )

    @field_validator("levels")
    @classmethod
    def _rising(cls, levels: list[int]) -> list[int]:
        if levels != sorted(set(levels)):
            raise ValueError("must rise")
        return levels

    def bounds(self, layers: LayerFacts, frames: int) -> Iterator[Bound]:
        """Yield what must fit."""
        yield Bound("levels", max(self.levels), layers.depth)


class D2stConfig(Section):
    """The head of D²ST-Adapter; defaults as published for SSv2-Small and CLIP."""

    classification_weight: float = key(
        "λ, weight of the classification of videos into the training classes.", TRAINING, default=0.5, ge=0
    )


class HeadsConfig(Section):
    """The heads other than CLIP-FSAR's, by the names of their files."""

    trx: TrxConfig = section("TRX.", default=TrxConfig())
    strm: StrmConfig = section("STRM.", default=StrmConfig())
    hyrsm: HyrsmConfig = section("HyRSM.", default=HyrsmConfig())
    hyrsmpp: HyrsmppConfig = section("HyRSM++.", default=HyrsmppConfig())
    molo: MoloConfig = section("MoLo.", default=MoloConfig())
    team: TeamConfig = section("TEAM.", default=TeamConfig())
    task_adapter: TaskAdapterConfig = section("Task-Adapter++.", default=TaskAdapterConfig())
    tsfsar: TsfsarConfig = section("TS-FSAR.", default=TsfsarConfig())
    clipspm: ClipspmConfig = section("CLIP-SPM.", default=ClipspmConfig())
    empnet: EmpnetConfig = section("EMP-Net.", default=EmpnetConfig())
    d2st: D2stConfig = section("D²ST-Adapter.", default=D2stConfig())
