"""Examples left out in turn and labelled by the others: what the accuracy, the calibration and the threshold rest on.

Shapes: classes N, examples V, frames T.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fsar.job import progress
from fsar.methods.needs import Tensors
from fsar.predict.calibrate import ENOUGH, TELLING, fit_temperature
from fsar.predict.decide import Decision, rows

Members = tuple[tuple[int, ...], ...]


class LeftOut(NamedTuple):
    """One example as a query: its number, the examples of each class that label it, and which classes those are."""

    number: int
    members: Members
    classes: tuple[int, ...]


@dataclass(frozen=True)
class LabelledExamples:
    """The examples of all classes, each of which can be a query of any of the others.

    Attributes:
        decision: how labels are decided.
        stored: what is kept of the examples, (V, …) each.
        labels: (V,) the class of each.
    """

    decision: Decision
    stored: Tensors
    labels: NDArray[np.int64]

    @cached_property
    def members(self) -> list[list[int]]:
        """The numbers of the examples of each class."""
        return [np.flatnonzero(self.labels == label).tolist() for label in range(len(self.decision.text))]

    @cached_property
    def several(self) -> NDArray[np.bool_]:
        """(V,) whether an example can be left out: there are others of its class, or its name decides alone."""
        if self.decision.decides_by == "text":
            return np.ones(len(self.labels), bool)
        return np.array([len(self.members[label]) > 1 for label in self.labels], bool)

    def left_out(self) -> list[LeftOut]:
        """Return each example with itself left out of its class's examples.

        Other classes leave one out as well, unless they have fewer: with one example more they would be at an
        advantage, and two examples of each class be labelled worse than by chance. A class without another example is
        not among those that it can be labelled with.
        """
        found = []
        for number, label in enumerate(self.labels.tolist()):
            members, place = self.members, self.members[label].index(number)
            shots = len(members[label])
            kept: dict[int, list[int]] = {}
            for other, own in enumerate(members):
                if other == label or 1 < len(own) >= shots:
                    kept[other] = [member for i, member in enumerate(own) if i != place % len(own)]
                else:
                    kept[other] = own
            if self.decision.decides_by != "text":
                kept = {other: own for other, own in kept.items() if own}
            found.append(LeftOut(number, tuple(map(tuple, kept.values())), tuple(kept)))
        return found

    def without_class(self) -> list[LeftOut]:
        """Return each example with its whole class taken away; nothing where there is no other class."""
        if len(self.decision.text) < 2:
            return []
        found = []
        for number, label in enumerate(self.labels.tolist()):
            others = {other: tuple(own) for other, own in enumerate(self.members) if other != label}
            found.append(LeftOut(number, tuple(others.values()), tuple(others)))
        return found

    def few_shot(self, left_out: Sequence[LeftOut], bar: str = "") -> list[Tensor | None]:
        """Return the logits of the examples alone: for each that is left out (n,), of its classes.

        What has the same examples is compared in one call: all queries of one class's examples where classes
        stand apart, and of all classes' examples where they do not.

        Args:
            left_out: which examples, as queries of which others.
            bar: what the progress bar calls it; none without it.
        """
        if self.decision.decides_by == "text":
            return [None] * len(left_out)
        queries = self.decision.queries(self.stored)
        found = [torch.empty(len(one.classes), device=self.decision.text.device) for one in left_out]
        calls: dict[tuple[Members, tuple[int, ...]], list[tuple[int, int | None]]] = {}
        for place, one in enumerate(left_out):
            if self.decision.classes_apart:
                for column, (own, label) in enumerate(zip(one.members, one.classes, strict=True)):
                    calls.setdefault(((own,), (label,)), []).append((place, column))
            elif one.classes:
                calls.setdefault((one.members, one.classes), []).append((place, None))
        each = calls.items()
        for (members, classes), wanted in progress(each, bar, "call", total=len(each)) if bar else each:
            support = self.decision.support(self.stored, members, classes)
            numbers = [left_out[place].number for place, _ in wanted]
            logits = self.decision.few_shot(support, rows(queries, numbers))  # (Q, n)
            for row, (place, column) in enumerate(wanted):
                if column is None:
                    found[place] = logits[row]
                else:
                    found[place][column] = logits[row, 0]
        return list(found)

    def decided(self, left_out: Sequence[LeftOut], few_shot: Sequence[Tensor | None]) -> Tensor:
        """Return the logits of each that is left out, (len(left_out), N); −∞ for classes that are not its own."""
        logits = torch.full((len(left_out), len(self.decision.text)), -torch.inf)
        for place, (one, own, query) in enumerate(self._each(left_out, few_shot)):
            if one.classes:
                logits[place, list(one.classes)] = self.decision.combine(own, query, one.classes)[0].cpu()
        return logits

    def nearest(self, left_out: Sequence[LeftOut], few_shot: Sequence[Tensor | None]) -> NDArray[np.float64]:
        """Return how near the label of each that is left out is (`Decision.nearness`), (len(left_out),).

        −∞ where it has no class.
        """
        near = []
        for one, own, query in self._each(left_out, few_shot):
            if not one.classes:
                near.append(-np.inf)
                continue
            best = self.decision.combine(own, query, one.classes)[0].argmax()
            near.append(float(self.decision.nearness(own, query, one.classes)[0, best]))
        return np.array(near)

    def temperature(self) -> float | None:
        """Return the temperature that makes scores probabilities (`fit_temperature`), each example left out in turn.

        None where too few examples tell it, or where it would take the backbone again for each of them: where videos
        look at one another.
        """
        decision, several = self.decision, self.several
        across = decision.across is not None and decision.decides_by != "text"
        if across or len(several) < ENOUGH or not several.all():
            return None
        left_out = self.left_out()
        if not decision.classes_apart:  # each takes all examples anew, and so many tell one temperature
            left_out = left_out[:: -(-len(left_out) // TELLING)]
        numbers = [one.number for one in left_out]
        logits = self.decided(left_out, self.few_shot(left_out, "calibrating"))
        return fit_temperature(decision.scaled(logits).numpy(), self.labels[numbers], several[numbers])

    def _each(
        self, left_out: Sequence[LeftOut], few_shot: Sequence[Tensor | None]
    ) -> Iterator[tuple[LeftOut, Tensor | None, Tensors]]:
        queries = {} if self.decision.decides_by == "few-shot" else self.decision.queries(self.stored)
        for one, logits in zip(left_out, few_shot, strict=True):
            own = None if logits is None else logits.unsqueeze(0)  # (1, n)
            yield one, own, rows(queries, [one.number])
