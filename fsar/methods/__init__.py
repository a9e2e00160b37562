"""The models and methods of the comparison, as data: what each model is made of, and how a method decides with it.

A model is what is trained (or taken as it is); several methods may decide with one. The values below reach the
workflow's rules as parameters: a new record leaves every trained model as it is. docs/methods.md shows how to add one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict

CLIP_FSAR_PAPER = "Wang et al., IJCV 2023 (arXiv 2303.02982)"
EMP_NET_PAPER = "Wu et al., ECCV 2024: reasoning on three levels of a frozen CLIP's tokens, with text"
CLIP_SPM_PAPER = "CLIP-SPM (arXiv 2512.19036): motion consistency, text tokens for queries, prototypes from both"
TASK_ADAPTER_PAPER = "Cao et al., 2025 (arXiv 2505.06002): adapters across an episode's videos, texts of sub-actions"
# What each of these codes does and none of the records below does (fsar/recipes/, docs/recipes.md).
ERASING = "no random erasing of training queries, which the code's settings leave on for UCF101 and HMDB51"
QUERIES = "7 queries per class at every shot, where the code has 3 for 5 shots"
ONE_SHOT = "learning rate and episodes on SSv2-Small at every shot are those of 1 shot"
DECAY = "weight decay spares normalisation layers"
TASK_ADAPTER_TEXTS = (
    "texts are plain sentences or a file of one's own; all numbers have 32 bits, where the code's text encoder and "
    "cosines have 16; frames are drawn and augmented as for CLIP-FSAR"
)
MATCHED = "scores of text and of videos are multiplied for the same query and class"
TASK_ADAPTER_CODE = "Jaulin-Bage/Task-Adapter-pp, commit 3a29783"
# How public codes chose the checkpoint whose accuracy they report.
ON_TEST, FIXED = "best on the test classes", "a fixed iteration, tested there"


class Source(TypedDict):
    """The public code of a method, where this project's differs by default, and how that code chose its checkpoint."""

    code: str
    deviations: str
    code_selection: str


CLIP_FSAR_SOURCE = Source(
    code="alibaba-mmai-research/CLIP-FSAR, commit 30cf0a8",
    deviations="listed in docs/fidelity.md",
    code_selection=ON_TEST,
)

# The matching metrics: each a file in fsar/model/matching/, with the keys of the config's `head` that it reads.
METRICS: dict[str, tuple[str, ...]] = {
    "otam": ("smoothing",),
    "otam_one_way": ("smoothing",),
    "bi_mhm": (),
    "trx": (),
    "mean_cosine": (),
}
# The head of CLIP-FSAR and of its parts, which has the config's section `head`; others have theirs below `heads`.
CLIP_FSAR_HEAD = "clip_fsar"
# The keys of `head` that the temporal transformer reads; without it, shots merge to the same before and after.
TRANSFORMER_KEYS = ("depth", "heads", "feed_forward", "attention_dropout", "feed_forward_dropout", "merge")


# What a head may ask of the backbone (`fsar.methods.needs`): one vector of each frame in the joint space, or before the
# projection into it; a map of vectors; or the tokens of chosen layers.
Kind = Literal["frames", "unprojected", "maps", "tokens"]
# What heads ask for where it is not frame features.
HEAD_NEEDS: dict[str, Kind] = {
    "strm": "maps",
    "molo": "maps",
    "d2st": "unprojected",
    "tsfsar": "tokens",
    "empnet": "tokens",
}
# Heads that look at each text of a class, and not at their mean.
HEADS_OF_TEXTS = ("empnet", "task_adapter")
# Heads that look at the class names.
HEADS_WITH_TEXT = ("clipspm", "tsfsar", "empnet", "task_adapter")
# Adapters with which a video's features depend on the other videos of its call, and those that adapt the text encoder.
ADAPTERS_ACROSS_VIDEOS = ("task",)
ADAPTERS_OF_TRANSFORMERS = ("task", "lora", "aim")
ADAPTERS_OF_TEXT = ("task",)
# Heads whose losses look at the pixels of training videos.
PIXEL_HEADS = ("molo",)


@dataclass(frozen=True)
class Components:
    """What a model is made of: everything that training depends on, but for numbers in the config.

    Attributes:
        head: what turns features into logits, a file in fsar/model/heads/.
        trains: the head on a backbone as it is; adapters in a frozen backbone, or its visual encoder, with the head; or
            nothing is trained at all.
        adapters: what is put into the backbone's blocks, a file in fsar/model/adapters/.
        trains_text: the text encoder is trained, too.
        fixed: settings of the head that this model has, whatever the config says of that head: (key, value) pairs.
        metric: of CLIP-FSAR's head, as are the others below: the matching, one of `METRICS`.
        temporal_transformer: frame features pass through the temporal transformer.
        text_token: the transformer sees the class's text beside the support frames (prototype modulation).
        video_text_loss: training adds the video-text contrastive objective over all training classes.
    """

    head: str = CLIP_FSAR_HEAD
    trains: Literal["nothing", "head", "adapters", "encoder"] = "encoder"
    adapters: str = ""
    trains_text: bool = False
    fixed: tuple[tuple[str, Any], ...] = ()
    metric: str = "otam"
    temporal_transformer: bool = False
    text_token: bool = False
    video_text_loss: bool = False

    def __post_init__(self) -> None:
        # From a rule's parameters and from JSON, pairs come as lists.
        object.__setattr__(self, "fixed", tuple((name, value) for name, value in self.fixed))
        if self.text_token and not self.temporal_transformer:
            raise ValueError("the text token needs the temporal transformer")
        if (self.trains == "adapters") != bool(self.adapters):
            raise ValueError("adapters are what is trained where there are any, and need a name")
        if not self.trained and (self.temporal_transformer or self.video_text_loss):
            raise ValueError("what is not trained can have neither a transformer nor a training objective")

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Components":
        """Read components that were stored; older records say `fine_tuned` instead of `trains`."""
        known = dict(record)
        if "fine_tuned" in known:
            known["trains"] = "encoder" if known.pop("fine_tuned") else "nothing"
        return cls(**known)

    @property
    def trained(self) -> bool:
        """Whether anything is trained."""
        return self.trains != "nothing"

    @property
    def needs(self) -> Kind:
        """What the head asks of the backbone."""
        return HEAD_NEEDS.get(self.head, "frames")

    @property
    def stores_its_own(self) -> bool:
        """Whether what is stored of test videos is made by the head, and not the frame features of the backbone."""
        return self.needs in ("maps", "tokens")

    @property
    def encoding(self) -> "Components":
        """What of it videos are encoded by, for the tests: nothing of a head that keeps frames as they are."""
        if self.stores_its_own:
            return self
        head = self.head if self.needs != "frames" else CLIP_FSAR_HEAD
        return Components(head=head, trains=self.trains, adapters=self.adapters, trains_text=self.trains_text)

    @property
    def needs_transformer(self) -> bool:
        """Whether the head or the adapters look into the layers of a visual transformer."""
        return self.needs == "tokens" or self.adapters in ADAPTERS_OF_TRANSFORMERS

    @property
    def across_videos(self) -> bool:
        """Whether a video's features depend on the other videos of its episode, which the adapters look at."""
        return self.adapters in ADAPTERS_ACROSS_VIDEOS

    @property
    def text_trained(self) -> bool:
        """Whether text features depend on the training."""
        return self.trains_text or self.adapters in ADAPTERS_OF_TEXT

    @property
    def each_text(self) -> bool:
        """Whether the head looks at each text of a class, and not at their mean."""
        return self.head in HEADS_OF_TEXTS

    @property
    def needs_pixels(self) -> bool:
        """Whether training looks at the pixels of videos beside what the backbone gives of them."""
        return self.head in PIXEL_HEADS

    @property
    def reads_text(self) -> bool:
        """Whether the model looks at the text of classes; such a backbone must have a text encoder."""
        return self.compares_with_text or self.video_text_loss

    @property
    def compares_with_text(self) -> bool:
        """Whether the head looks at the text of an episode's classes, in tests too."""
        return self.text_token or self.head in HEADS_WITH_TEXT

    def reads(self, section: str, key: str) -> bool:
        """Tell whether a model of these components depends on a key of the config's `head`, `text` or `training`.

        `head` is here the section of the model's own head.
        """
        if section == "text":
            return self.reads_text
        if section == "head" and self.head == CLIP_FSAR_HEAD:
            return key in METRICS[self.metric] or (self.temporal_transformer and key in TRANSFORMER_KEYS)
        return key != "video_text_weight" or self.video_text_loss


@dataclass(frozen=True)
class Method:
    """One row of the comparison: a model and a way to decide with it.

    Attributes:
        title: the name in tables and figures.
        citation: where the method is from.
        published_as: the method's name in the published results; empty if there are none.
        model: one of `MODELS`. Methods of the same model share its training.
        decides_by: the support videos (few-shot), the class names (text: zero-shot, no support), or both.
        inductive: the label of a query does not depend on the other queries of its episode; a head that lets queries
            see one another is then asked one query at a time.
        code: the public code it was made equal to, with its commit; empty if there is none.
        deviations: where this project's default differs from that code; empty if it does not.
        code_selection: how that code chose the checkpoint it reports; here validation decides.
    """

    title: str
    citation: str
    published_as: str
    model: str
    decides_by: Literal["few-shot", "text", "both"] = "few-shot"
    inductive: bool = True
    code: str = ""
    deviations: str = ""
    code_selection: str = ""

    @property
    def components(self) -> Components:
        """What its model is made of."""
        return MODELS[self.model]

    @property
    def reads_text(self) -> bool:
        """Whether the class names are looked at, by the model or in deciding."""
        return self.components.reads_text or self.decides_by != "few-shot"

    def shots(self, shots: Sequence[int]) -> list[int]:
        """Return the shots to test with: those asked for, or none where no support is looked at."""
        return [0] if self.decides_by == "text" else list(shots)


FROZEN = Components(trains="nothing")
PLAIN = Components()
MODULATION = Components(temporal_transformer=True, text_token=True)
EMP_NET = Components(head="empnet", trains="head")
TASK_ADAPTER = Components(head="task_adapter", trains="adapters", adapters="task")
CLIP_FSAR = Components(temporal_transformer=True, text_token=True, video_text_loss=True)

# Named for good: a model's name is the name of its folder.
MODELS = {
    "frozen": FROZEN,
    "otam": PLAIN,
    "otam-video-text": replace(PLAIN, video_text_loss=True),
    "otam-modulation": MODULATION,
    "clip-fsar": CLIP_FSAR,
    "otam-one-way": replace(PLAIN, metric="otam_one_way"),
    "clip-fsar-one-way": replace(CLIP_FSAR, metric="otam_one_way"),
    "bi-mhm": replace(PLAIN, metric="bi_mhm"),
    "clip-fsar-bi-mhm": replace(CLIP_FSAR, metric="bi_mhm"),
    "trx": Components(head="trx"),
    "clip-fsar-trx": replace(CLIP_FSAR, metric="trx"),
    "mean-cosine": replace(PLAIN, metric="mean_cosine"),
    "clip-fsar-mean-cosine": replace(CLIP_FSAR, metric="mean_cosine"),
    "clip-fsar-head": replace(CLIP_FSAR, trains="head"),
    "strm": Components(head="strm"),
    "strm-published": Components(head="strm", fixed=(("second_metric", "published"),)),
    "hyrsm": Components(head="hyrsm"),
    "hyrsmpp": Components(head="hyrsmpp"),
    "molo": Components(head="molo"),
    "team": Components(head="team"),
    "d2st": Components(head="d2st", trains="adapters", adapters="d2st"),
    "otam-lora": replace(PLAIN, trains="adapters", adapters="lora"),
    "otam-aim": replace(PLAIN, trains="adapters", adapters="aim"),
    "task-adapter": TASK_ADAPTER,
    "task-adapter-published": replace(TASK_ADAPTER, fixed=(("orientation", "published"),)),
    "ts-fsar": Components(head="tsfsar", trains="head"),
    "emp-net": EMP_NET,
    "emp-net-published": replace(EMP_NET, fixed=(("cross_entropy", "probabilities"),)),
    "clip-spm": Components(head="clipspm"),
    "clip-fsar-text-encoder": replace(CLIP_FSAR, trains_text=True),
}

METHODS = {
    "clip-freeze": Method(
        "CLIP-Freeze",
        f"{CLIP_FSAR_PAPER}, Sec. 4.2: frozen CLIP frame features, matched by OTAM",
        "CLIP-Freeze",
        "frozen",
    ),
    "clip-zero-shot": Method(
        "CLIP zero-shot",
        "Radford et al., ICML 2021 (arXiv 2103.00020): mean frame feature against the text of the classes",
        "CLIP zero-shot",
        "frozen",
        decides_by="text",
    ),
    "otam": Method(
        "OTAM",
        "Cao et al., CVPR 2020 (arXiv 1906.11415): visual features fine-tuned on episodes, matched by OTAM",
        "OTAM",
        "otam",
    ),
    "otam-video-text": Method(
        "OTAM + video-text",
        f"{CLIP_FSAR_PAPER}, Table 4: OTAM with the video-text objective",
        "OTAM + video-text",
        "otam-video-text",
    ),
    "otam-modulation": Method(
        "OTAM + prototype modulation",
        f"{CLIP_FSAR_PAPER}, Table 4: OTAM with text-modulated prototypes",
        "OTAM + prototype modulation",
        "otam-modulation",
    ),
    "clip-fsar": Method("CLIP-FSAR", CLIP_FSAR_PAPER, "CLIP-FSAR", "clip-fsar", **CLIP_FSAR_SOURCE),
    "clip-fsar-zero-shot": Method(
        "CLIP-FSAR zero-shot",
        f"{CLIP_FSAR_PAPER}, Table 10: the video-text similarities of the trained model alone",
        "CLIP-FSAR zero-shot",
        "clip-fsar",
        decides_by="text",
        **CLIP_FSAR_SOURCE,
    ),
    "clip-fsar-text": Method(
        "CLIP-FSAR + text",
        f"{CLIP_FSAR_PAPER}, Eq. 7 (†): few-shot and text probabilities, weighted by β",
        "CLIP-FSAR+text",
        "clip-fsar",
        decides_by="both",
        **CLIP_FSAR_SOURCE,
    ),
    "otam-one-way": Method(
        "OTAM, one direction",
        "Cao et al., CVPR 2020 (arXiv 1906.11415): the alignment of the query to the support alone",
        "",
        "otam-one-way",
    ),
    "clip-fsar-one-way": Method("CLIP-FSAR (OTAM, one direction)", CLIP_FSAR_PAPER, "", "clip-fsar-one-way"),
    "bi-mhm": Method(
        "Bi-MHM",
        "Wang et al., HyRSM, CVPR 2022 (arXiv 2204.13423): features matched by the bidirectional mean Hausdorff metric",
        "Bi-MHM",
        "bi-mhm",
    ),
    "clip-fsar-bi-mhm": Method(
        "CLIP-FSAR (Bi-MHM)",
        f"{CLIP_FSAR_PAPER}, Table 3",
        "CLIP-FSAR (Bi-MHM)",
        "clip-fsar-bi-mhm",
    ),
    "trx": Method(
        "TRX",
        "Perrett et al., CVPR 2021 (arXiv 2101.06184): cross-attention between pairs and triples of frames",
        "TRX",
        "trx",
        code="tobyperrett/trx, commit 390c20a",
        deviations="20,010 training episodes (SSv2 75,010) as STRM, where the code has 100,020 and tests SSv2 after "
        "75,000; its first step comes one episode early",
        code_selection=f"{FIXED} (run.py:90, 180)",
    ),
    "clip-fsar-trx": Method("CLIP-FSAR (TRX)", f"{CLIP_FSAR_PAPER}, Table 3", "CLIP-FSAR (TRX)", "clip-fsar-trx"),
    "mean-cosine": Method(
        "Mean cosine",
        "Snell et al., NeurIPS 2017 (arXiv 1703.05175), with cosine: mean-pooled prototypes",
        "",
        "mean-cosine",
    ),
    "clip-fsar-mean-cosine": Method("CLIP-FSAR (mean cosine)", CLIP_FSAR_PAPER, "", "clip-fsar-mean-cosine"),
    "clip-fsar-head": Method(
        "CLIP-FSAR, head alone", f"{CLIP_FSAR_PAPER}: its head trained on the frozen backbone", "", "clip-fsar-head"
    ),
    "strm": Method(
        "STRM",
        "Thatipelli et al., CVPR 2022 (arXiv 2112.05132): patches and frames enriched, two metrics on tuples of frames",
        "STRM",
        "strm",
        code="Anirudh257/strm, commit 54368fe",
        deviations="the second metric is trained, as the paper describes it; the code leaves it out of the optimizer",
        code_selection=f"{FIXED} (run.py:230)",
    ),
    "strm-published": Method(
        "STRM (second metric untrained)",
        "Thatipelli et al., CVPR 2022 (arXiv 2112.05132), as its public code is",
        "",
        "strm-published",
        code="Anirudh257/strm, commit 54368fe",
        deviations="the untrained second metric and its dropout follow a seed, so that a test can be repeated",
        code_selection=f"{FIXED} (run.py:230)",
    ),
    "hyrsm": Method(
        "HyRSM",
        "Wang et al., CVPR 2022 (arXiv 2204.13423): support and query related with one another, matched by Bi-MHM",
        "HyRSM",
        "hyrsm",
        code="alibaba-mmai-research/HyRSM, commit 82100b6",
        deviations=f"{ERASING}; {QUERIES}",
        code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:475)",
    ),
    "hyrsmpp": Method(
        "HyRSM++",
        "Wang et al., Pattern Recognition 2024 (arXiv 2301.03330): HyRSM with a temporal coherence loss",
        "HyRSM++",
        "hyrsmpp",
        code="alibaba-mmai-research/HyRSMPlusPlus, commit 0d93298",
        deviations=f"{ERASING}; {QUERIES}; on Kinetics decay and epsilon are those of 1 shot, a quarter of which the "
        "code has for more (docs/recipes.md)",
        code_selection=ON_TEST,
    ),
    "molo": Method(
        "MoLo",
        "Wang et al., CVPR 2023 (arXiv 2304.00946): a motion branch and long-short contrast, matched by Bi-MHM",
        "MoLo (Bi-MHM)",
        "molo",
        code="alibaba-mmai-research/MoLo, commit f7f73b6",
        deviations=f"{ERASING}; {DECAY}, where the code decays those of the decoder",
        code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:496)",
    ),
    "team": Method(
        "TEAM",
        "Lee et al., CVPR 2025 (arXiv 2504.05956): pattern tokens compared without alignment",
        "TEAM",
        "team",
        code="leesb7426/TEAM, commit 8bd6b6e",
        deviations="60 pattern tokens at every shot, where the code has 70 to 80 for 5 shots; its first step comes one "
        f"episode early; {DECAY}, where the code spares none",
        code_selection=f"{ON_TEST} (run_train.py:211)",
    ),
    "d2st": Method(
        "D²ST-Adapter",
        "Pei et al., ICCV 2025 (arXiv 2312.01431): adapters with deformable attention in every block, Bi-MHM",
        "D²ST-Adapter",
        "d2st",
        code="qizhongtan/D2ST-Adapter, commit 44387fa",
        deviations="weight decay spares every normalisation layer, where the code spares those with `bn` or `norm` in "
        "their name",
        code_selection=f"{ON_TEST}, twice in a run (:186)",
    ),
    "otam-lora": Method(
        "OTAM + LoRA",
        "Hu et al., ICLR 2022 (arXiv 2106.09685): low-rank updates of the attention's weights; matched by OTAM",
        "",
        "otam-lora",
    ),
    "otam-aim": Method(
        "OTAM + AIM",
        "Yang et al., ICLR 2023 (arXiv 2302.03024): spatial, temporal and joint adapters; matched by OTAM",
        "",
        "otam-aim",
    ),
    "task-adapter": Method(
        "Task-Adapter++",
        TASK_ADAPTER_PAPER,
        "Task-Adapter++",
        "task-adapter",
        code=TASK_ADAPTER_CODE,
        deviations=f"{MATCHED}; each query is asked alone; {TASK_ADAPTER_TEXTS}",
        code_selection=f"{ON_TEST} (run.py:174–198)",
    ),
    "task-adapter-together": Method(
        "Task-Adapter++ (queries together)",
        TASK_ADAPTER_PAPER,
        "",
        "task-adapter",
        inductive=False,
        code=TASK_ADAPTER_CODE,
        deviations=f"{MATCHED}; {TASK_ADAPTER_TEXTS}",
        code_selection=f"{ON_TEST} (run.py:174–198)",
    ),
    "task-adapter-published": Method(
        "Task-Adapter++ (as published)",
        f"{TASK_ADAPTER_PAPER}, as its public code is",
        "",
        "task-adapter-published",
        inductive=False,
        code=TASK_ADAPTER_CODE,
        deviations=TASK_ADAPTER_TEXTS,
        code_selection=f"{ON_TEST} (run.py:174–198)",
    ),
    "ts-fsar": Method(
        "TS-FSAR",
        "Long et al., AAAI 2026 (arXiv 2512.11340): a ladder side network beside a frozen CLIP, α-distance correlation",
        "TS-FSAR",
        "ts-fsar",
        code="yaozhang0417/TS-FSAR, commit 1a91053",
        deviations="weight decay spares normalisation layers; the head computes in 32 bits; texts are class names or a "
        "file of one's own; learning rates and dropout at every shot are those of 1 shot",
        code_selection=f"{ON_TEST} (main.py:162)",
    ),
    "emp-net": Method(
        "EMP-Net",
        EMP_NET_PAPER,
        "EMP-Net",
        "emp-net",
        code="cong-wu/EMP-Net, commit b4dc006",
        deviations="the loss is the cross-entropy of logits, where the code takes that of probabilities; any way; "
        f"{ONE_SHOT}",
        code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:537)",
    ),
    "emp-net-published": Method(
        "EMP-Net (loss of probabilities)",
        EMP_NET_PAPER,
        "",
        "emp-net-published",
        code="cong-wu/EMP-Net, commit b4dc006",
        deviations=f"any way, where the code has five; {ONE_SHOT}",
        code_selection=f"{ON_TEST} (runs/train_net_few_shot.py:537)",
    ),
    "clip-spm": Method(
        "CLIP-SPM",
        CLIP_SPM_PAPER,
        "CLIP-SPM",
        "clip-spm",
        code="hnlxy/CLIP-SPM, commit 63f4361",
        deviations="the episode's token is the mean text of its classes; each query is asked alone; weight decay "
        "spares normalisation layers",
        code_selection=f"{ON_TEST} (run/main_run.py:231)",
    ),
    "clip-spm-together": Method(
        "CLIP-SPM (queries together)",
        CLIP_SPM_PAPER,
        "",
        "clip-spm",
        inductive=False,
        code="hnlxy/CLIP-SPM, commit 63f4361",
        deviations="weight decay spares normalisation layers",
        code_selection=f"{ON_TEST} (run/main_run.py:231)",
    ),
    "clip-fsar-text-encoder": Method(
        "CLIP-FSAR, text encoder trained",
        f"{CLIP_FSAR_PAPER}, with the text encoder trained, too",
        "",
        "clip-fsar-text-encoder",
    ),
}
