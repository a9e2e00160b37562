"""From frame features to logits and probabilities, with any number of examples in each class.

Shapes: classes N, clips V, queries Q, frames T, feature width D.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fsar.evaluation.episode_logits import DecidesBy
from fsar.model.head import Head, combined_logits


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
    def prototype(self, label: int, shots: Tensor) -> Tensor:
        """Return what queries are compared with for a class: of its examples (K, T, D), as `Head.match` takes it."""
        return self.head.represent(self.head.prototypes(shots.unsqueeze(0), self.text[[label]]))[0]

    def prototypes(self, features: Tensor, labels: Tensor) -> list[Tensor]:
        """Return the prototype of each class, from (V, T, D) features and (V,) labels of the examples."""
        if self.decides_by == "text":
            return []
        return [self.prototype(label, features[labels == label]) for label in range(len(self.text))]

    @torch.inference_mode()
    def few_shot(self, queries: Tensor, prototypes: Sequence[Tensor]) -> Tensor:
        """Return the logits of the examples alone, minus the distances: (Q, T, D) → (Q, N)."""
        asked = self.head.represent(self.head.modulate(queries))
        if len({prototype.shape for prototype in prototypes}) == 1:
            return self.head.match(asked, torch.stack(list(prototypes)))
        # A metric that keeps the examples apart, and classes with different numbers of them.
        return torch.cat([self.head.match(asked, prototype.unsqueeze(0)) for prototype in prototypes], dim=-1)

    @torch.inference_mode()
    def logits(self, queries: Tensor, prototypes: Sequence[Tensor]) -> Tensor:
        """Return the logits as the workflow's tests compute them: (Q, T, D) → (Q, N)."""
        few_shot = None if self.decides_by == "text" else self.few_shot(queries, prototypes)
        return self.combine(few_shot, queries)

    @torch.inference_mode()
    def combine(self, few_shot: Tensor | None, queries: Tensor) -> Tensor:
        """Put the logits of the examples, (Q, N), and those of the class names together as `decides_by` says."""
        if self.decides_by == "few-shot":
            assert few_shot is not None
            return few_shot
        text = self.head.text_logits(queries, self.text)
        if few_shot is None:
            return text
        scaled = text * self._missing_scale()
        return combined_logits(few_shot, scaled, self.head.config.text_weight, queries.shape[1])

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
        whole = self.few_shot(features, self.prototypes(features, labels))  # (V, N)
        place = {number: own.index(number) for own in members for number in own}
        reduced = torch.full((len(labels), len(labels)), -torch.inf, device=features.device)  # without each example
        several = [number for own in members if len(own) > 1 for number in own]
        if several:
            without = [[m for m in members[labels[number]] if m != number] for number in several]
            prototypes = [self.prototype(int(labels[n]), features[o]) for n, o in zip(several, without, strict=True)]
            reduced[:, several] = self.few_shot(features, prototypes)
        few_shot = whole.clone()
        for number, label in enumerate(labels.tolist()):
            for other, own in enumerate(members):
                if other == label or 1 < len(own) >= len(members[label]):
                    few_shot[number, other] = reduced[number, own[place[number] % len(own)]]
        return self.combine(few_shot, features)

    def _missing_scale(self) -> float:
        return self.text_scale if self.head.scale is None else 1.0
