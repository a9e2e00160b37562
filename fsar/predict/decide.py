"""From frame features to logits and probabilities, with any number of examples in each class.

Shapes: classes N, clips V, queries Q, frames T, feature width D.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fsar.errors import UserError
from fsar.evaluation.episode_logits import DecidesBy
from fsar.model.decision import combined_logits, text_logits
from fsar.model.heads.head import Head
from fsar.model.needs import Tensors


@dataclass(frozen=True)
class Decision:
    """How labels are decided.

    Attributes:
        head: the model's, in evaluation mode.
        decides_by: the examples (few-shot), the class names (text), or both.
        text: (N, D) text features of the classes; zeros where no text is looked at.
        text_scale: CLIP's own scale of similarities with texts, where the head has trained none.
    """

    head: Head
    decides_by: DecidesBy
    text: Tensor
    text_scale: float = 1.0

    @torch.inference_mode()
    def prototype(self, label: int, shots: Tensor) -> Tensors:
        """Return what queries are compared with for a class, of its examples (K, T, D): one or K of each tensor."""
        text = self.text[[label]].expand(len(shots), -1)
        support = self.head.support_stage(self.head.store({self.head.needs.kind: shots}), text, len(shots))
        merged = self.head.merge({name: videos[None, None] for name, videos in support.items()})
        return {name: videos[0, 0] for name, videos in merged.items()}

    def prototypes(self, features: Tensor, labels: Tensor) -> list[Tensors]:
        """Return the prototype of each class, from (V, T, D) features and (V,) labels of the examples."""
        if self.decides_by == "text":
            return []
        return [self.prototype(label, features[labels == label]) for label in range(len(self.text))]

    @torch.inference_mode()
    def few_shot(self, queries: Tensor, prototypes: Sequence[Tensors], classes: Sequence[int] | None = None) -> Tensor:
        """Return the logits of the examples alone: (Q, T, D) → (Q, N).

        Args:
            queries: frame features.
            prototypes: of N classes.
            classes: which classes they are; all, in their order, without it.

        Raises:
            UserError: the head compares classes with one another, and they have different numbers of examples.
        """
        if not self.head.queries_apart and len(queries) > 1:
            return torch.cat([self.few_shot(query, prototypes, classes) for query in queries.split(1)])
        text = self.text if classes is None else self.text[list(classes)]
        stored = self.head.store({self.head.needs.kind: queries})
        asked = {name: videos.unsqueeze(0) for name, videos in self.head.video_stage(stored).items()}
        if len({tuple((name, part.shape) for name, part in p.items()) for p in prototypes}) == 1:
            together = {name: torch.stack([p[name] for p in prototypes]).unsqueeze(0) for name in prototypes[0]}
            return self.head.decide(self.head.episode_stage(together, asked, text.unsqueeze(0)))[0]
        if not self.head.classes_apart:
            raise UserError(
                "This method compares the classes with one another, for which each needs as many examples as the "
                "others: leave some out"
            )
        logits = []  # a method that keeps the examples apart
        for number, prototype in enumerate(prototypes):
            alone = {name: part[None, None] for name, part in prototype.items()}
            logits.append(self.head.decide(self.head.episode_stage(alone, asked, text[None, [number]]))[0])
        return torch.cat(logits, dim=-1)

    @torch.inference_mode()
    def logits(self, queries: Tensor, prototypes: Sequence[Tensors]) -> Tensor:
        """Return the logits as the workflow's tests compute them: (Q, T, D) → (Q, N)."""
        few_shot = None if self.decides_by == "text" else self.few_shot(queries, prototypes)
        return self.combine(few_shot, queries)

    @torch.inference_mode()
    def combine(self, few_shot: Tensor | None, queries: Tensor) -> Tensor:
        """Put the logits of the examples, (Q, N), and those of the class names together as `decides_by` says."""
        if self.decides_by == "few-shot":
            assert few_shot is not None
            return few_shot
        text = text_logits(queries, self.text, self.head.text_scale())
        if few_shot is None:
            return text
        scaled = text * self._missing_scale()
        return combined_logits(few_shot, scaled, self.head.settings.text_weight, queries.shape[1])

    def probabilities(self, logits: Tensor) -> Tensor:
        """Return the probability of each class: (Q, N) → (Q, N).

        Logits are taken as training took them. Class names without a trained scale have CLIP's own: their plain cosines
        differ by hundredths, and would give every class the same probability.
        """
        return (logits * (self._missing_scale() if self.decides_by == "text" else 1.0)).softmax(dim=-1)

    @torch.inference_mode()
    def left_out(self, features: Tensor, labels: Tensor) -> Tensor:
        """Return the logits of each example with itself left out of its class's examples: (V, T, D), (V,) → (V, N).

        Other classes leave one out as well, unless they have fewer: with one example more they would be at an
        advantage, and two examples of each class be labelled worse than by chance. An example that is the only one of
        its class has −∞ there: the class is not known without it.
        """
        if self.decides_by == "text":
            return self.logits(features, [])
        members = [torch.nonzero(labels == label).flatten().tolist() for label in range(len(self.text))]
        place = {number: own.index(number) for own in members for number in own}
        reduced = torch.full((len(labels), len(labels)), -torch.inf, device=features.device)  # without each example
        if not self.head.classes_apart:
            return self.combine(self._left_out_together(features, labels, members), features)
        whole = self.few_shot(features, self.prototypes(features, labels))  # (V, N)
        several = [number for own in members if len(own) > 1 for number in own]
        if several:
            without = [[m for m in members[labels[number]] if m != number] for number in several]
            prototypes = [self.prototype(int(labels[n]), features[o]) for n, o in zip(several, without, strict=True)]
            reduced[:, several] = self.few_shot(features, prototypes, labels[several].tolist())
        few_shot = whole.clone()
        for number, label in enumerate(labels.tolist()):
            for other, own in enumerate(members):
                if other == label or 1 < len(own) >= len(members[label]):
                    few_shot[number, other] = reduced[number, own[place[number] % len(own)]]
        return self.combine(few_shot, features)

    def _left_out_together(self, features: Tensor, labels: Tensor, members: list[list[int]]) -> Tensor:
        """Return the same where a class's logit depends on the others: each class leaves one out."""
        few_shot = torch.full((len(labels), len(members)), -torch.inf, device=features.device)
        for number, label in enumerate(labels.tolist()):
            if len(members[label]) == 1:
                continue
            place = members[label].index(number)
            kept = [[m for i, m in enumerate(own) if i != place % len(own)] for own in members]
            prototypes = [self.prototype(n, features[own]) for n, own in enumerate(kept)]
            few_shot[number] = self.few_shot(features[[number]], prototypes)[0]
        return few_shot

    def _missing_scale(self) -> float:
        return self.text_scale if self.head.text_scale() is None else 1.0
