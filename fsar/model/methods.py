"""The methods of the comparison, as data: which components each one has."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """A method is a choice of components around the same backbone and the same matching.

    Attributes:
        title: the name in tables and figures.
        citation: where the method is from.
        published_as: the method's name in the published results.
        fine_tuned: the backbone is trained on the training classes; if not, nothing is trained.
        temporal_transformer: frame features pass through the temporal transformer.
        text_token: the transformer sees the class's text beside the support frames (prototype modulation).
        video_text_loss: training adds the video-text contrastive objective over all training classes.
    """

    title: str
    citation: str
    published_as: str
    fine_tuned: bool = True
    temporal_transformer: bool = False
    text_token: bool = False
    video_text_loss: bool = False

    def __post_init__(self) -> None:
        if self.text_token and not self.temporal_transformer:
            raise ValueError(f"{self.title}: the text token needs the temporal transformer")
        if not self.fine_tuned and (self.temporal_transformer or self.video_text_loss):
            raise ValueError(f"{self.title}: untrained, so it can have neither a transformer nor a training objective")


METHODS = {
    "clip-freeze": Method(
        title="CLIP-Freeze",
        citation="Wang et al., IJCV 2023 (arXiv 2303.02982), Sec. 4.2: frozen CLIP frame features matched by OTAM",
        published_as="CLIP-Freeze",
        fine_tuned=False,
    ),
    "otam": Method(
        title="OTAM",
        citation="Cao et al., CVPR 2020 (arXiv 1906.11415): visual features fine-tuned on episodes, matched by OTAM",
        published_as="OTAM",
    ),
    "clip-fsar": Method(
        title="CLIP-FSAR",
        citation="Wang et al., IJCV 2023 (arXiv 2303.02982)",
        published_as="CLIP-FSAR",
        temporal_transformer=True,
        text_token=True,
        video_text_loss=True,
    ),
}
