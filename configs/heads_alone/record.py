"""Rows of heads alone, trained on the stored features of a frozen backbone, and of frozen features, each at three w.

No code of their own: each is the head of a method of this project. w is the share of what moves (docs/motion.md): 0
as published, 0.75 as in the rows that end in -motion, and 1, which looks at nothing else.
"""

from dataclasses import replace

from fsar.methods.blocks.record import MOTION, with_motion
from fsar.methods.record import Components, Method, Record

HEADS = {"trx": "TRX", "strm": "STRM", "hyrsm": "HyRSM", "hyrsmpp": "HyRSM++", "team": "TEAM", "chamferpp": "Chamfer++"}
MOVES = "moves"  # w = 1


def at_each_share(name: str, model: Components) -> dict[str, Components]:
    """Return a model at w = 0, 0.75 and 1, by name."""
    moves = replace(model, fixed=(*model.fixed, ("motion_share", 1.0)))
    return {name: model, f"{name}-motion": with_motion(model), f"{name}-{MOVES}": moves}


def titles(name: str, title: str) -> dict[str, Method]:
    """Return the rows of these, by name."""
    of = {name: title, f"{name}-motion": f"{title} + motion", f"{name}-{MOVES}": f"{title}, what moves alone"}
    return {own: Method(said, MOTION) for own, said in of.items()}


FROZEN = {
    "otam-frozen": ("OTAM, frozen", Components(trains="nothing")),
    "bi-mhm-frozen": ("Bi-MHM, frozen", Components(trains="nothing", fixed=(("metric", "bi_mhm"),))),
}
ALONE = {
    f"{head}-alone": (f"{title}, head alone", Components(head=head, trains="head")) for head, title in HEADS.items()
}
RECORD = Record(
    title="Heads alone.",
    models={k: m for name, (_, model) in (FROZEN | ALONE).items() for k, m in at_each_share(name, model).items()},
    methods={k: m for name, (title, _) in (FROZEN | ALONE).items() for k, m in titles(name, title).items()},
)
