"""Linear probe: a classifier fitted to the support of each episode, on features as they are."""

from typing import ClassVar

from fsar.keys.declare import HEAD, key
from fsar.methods.record import Components, Method, Record
from fsar.methods.settings import HeadSettings


class LinearProbeConfig(HeadSettings):
    """Logistic regression with an L2 penalty."""

    prototypes: ClassVar[bool] = False

    inverse_penalty: float = key(
        "C, by which the loss of the support is multiplied beside half the squared length of the weights; as `C` of "
        "scikit-learn's LogisticRegression.",
        HEAD,
        default=1.0,
        gt=0,
        le=1000,
    )


RECORD = Record(
    title="Linear probe.",
    head=LinearProbeConfig,
    models={
        "linear-probe": Components(head="linear_probe", trains="nothing"),
        "linear-probe-otam": Components(head="linear_probe", trains="nothing", weights_of="otam"),
        "linear-probe-clip-fsar": Components(head="linear_probe", trains="nothing", weights_of="clip-fsar"),
    },
    methods={
        "linear-probe": Method(
            "Linear probe",
            "Tian et al., ECCV 2020 (arXiv 2003.11539): logistic regression on the support of each episode, on "
            "normalised features as they are",
        ),
        "linear-probe-otam": Method(
            "Linear probe on OTAM's features",
            "Tian et al., ECCV 2020 (arXiv 2003.11539): logistic regression on the support of each episode, on the "
            "features of a trained OTAM",
        ),
        "linear-probe-clip-fsar": Method(
            "Linear probe on CLIP-FSAR's features",
            "Tian et al., ECCV 2020 (arXiv 2003.11539): logistic regression on the support of each episode, on the "
            "features of a trained CLIP-FSAR",
        ),
    },
)
