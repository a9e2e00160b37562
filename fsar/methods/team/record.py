"""TEAM, temporal alignment-free matching by pattern tokens."""

from fsar.keys.declare import HEAD, key
from fsar.methods.blocks.record import DECAY, MOTION, WidenedMotionConfig, with_motion
from fsar.methods.record import ON_TEST, Components, Method, Record
from fsar.methods.settings import dropout_key


class TeamConfig(WidenedMotionConfig):
    """TEAM; defaults as published for ResNet-50 and 1 shot."""

    tokens: int = key("Pattern tokens.", HEAD, unit="tokens", default=60, ge=1)
    dropout: float = dropout_key(
        "Dropout of frames after their positions are added, of attention and of what it finds.", 0.1, HEAD
    )
    negative_weight: float = key(
        "Weight of the distance of negative patterns, in the loss and in the decision.", HEAD, default=1.0, ge=0
    )


RECORD = Record(
    title="TEAM.",
    head=TeamConfig,
    models={"team": Components(head="team"), "team-motion": with_motion(Components(head="team"))},
    methods={
        "team": Method(
            "TEAM",
            "Lee et al., CVPR 2025 (arXiv 2504.05956): pattern tokens compared without alignment",
            "TEAM",
            code="leesb7426/TEAM, commit 8bd6b6e",
            deviations="60 pattern tokens at every shot, where the code has 70 to 80 for 5 shots; its first step "
            f"comes one episode early; {DECAY}, where the code spares none",
            code_selection=f"{ON_TEST} (run_train.py:211)",
        ),
        "team-motion": Method("TEAM + motion", MOTION),
    },
)
