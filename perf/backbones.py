"""Every architecture that open_clip can build, taken through what this project asks of a backbone, as a table.

    python -m perf.backbones [--step 200] [--build 1500] [--minutes 60] [name …]

Weights are random. Each architecture has a process of its own, and is left out where it has more parameters than
--build says (millions); a training step and one with activations computed again are taken where its visual encoder has
no more than --step. They are on 2 classes with 1 support and 1 query video of 1 frame; equal means: gradients differ by
less than 1e-4 of the largest.
"""

import argparse
import time
from multiprocessing import get_context

import open_clip
import torch
from torch import Tensor

from fsar.config import BackboneConfig
from fsar.errors import UserError
from fsar.methods import MODELS
from fsar.methods.clip_fsar.record import ClipFsarConfig
from fsar.model.backbone import Backbone
from fsar.model.backbone_facts import backbone_facts
from fsar.model.few_shot import FewShotModel
from fsar.model.open_clip_backbone import random_backbone

COLUMNS = ("architecture", "parameters", "picture", "width", "pictures", "text", "training step", "computed again")
CLASSES = 2
FORK = get_context("fork")


def parameters(name: str) -> tuple[float, float]:
    """Return the millions of parameters of an architecture and of its visual encoder, without making them."""
    with torch.device("meta"):
        clip = open_clip.create_model(name, load_weights=False, pretrained_text=False, device="meta")
    count = [sum(p.numel() for p in module.parameters()) / 1e6 for module in (clip, clip.visual)]
    return count[0], count[1]


def examined(name: str, build: float, step: float) -> dict[str, str]:
    """Return the row of one architecture."""
    row = dict.fromkeys(COLUMNS, "–") | {"architecture": name}
    facts = backbone_facts(BackboneConfig(model=name, weights="random.pt"))
    row["picture"] = str(facts.size)
    try:
        whole, visual = parameters(name)
    except Exception as error:
        return row | {"pictures": _reason(error)}
    row["parameters"] = f"{whole:.0f} M"
    if whole > build:
        return row | {"pictures": "not tried: too large"}
    torch.manual_seed(0)
    backbone = random_backbone(name).eval()
    assert backbone.image_size == facts.size
    row["width"] = str(backbone.width)
    pixels = torch.randint(256, (2 * CLASSES, 1, facts.size, facts.size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        encoded = backbone(pixels if visual <= step else pixels[:1])
    assert encoded.shape[1:] == (1, backbone.width) and encoded.isfinite().all()
    row["pictures"] = "yes"
    text, row["text"] = _text(backbone)
    if visual > step:
        return row | {"training step": "not tried: too large"}
    gradients, without = _gradients(backbone, pixels, text)
    row["training step"] = "yes" + (f", {without} without gradient" if without else "")
    try:
        backbone.checkpoint_activations()
    except UserError:
        return row | {"computed again": "refused"}
    again, _ = _gradients(backbone, pixels, text)
    largest = max(value.abs().max() for value in gradients.values())
    difference = max((gradients[key] - again[key]).abs().max() / largest for key in gradients)
    row["computed again"] = "equal" if difference < 1e-4 else f"differs by {difference:.1e}"
    return row


def _text(backbone: Backbone) -> tuple[Tensor, str]:
    try:
        return backbone.encode_text(["a star moves", "a heart"]), "yes"
    except UserError as error:
        # Its vocabulary is not here; any tokens will do to see that the encoder works.
        length = backbone.encoders.context_length
        with torch.no_grad():
            text = backbone.encoders.encode_text(torch.randint(1, 1000, (CLASSES, length)), normalize=False).float()
        missing = "transformers" if "not installed" in str(error) else "the network"
        return text, f"yes; its tokenizer needs {missing}"


def _gradients(backbone: Backbone, pixels: Tensor, text: Tensor) -> tuple[dict[str, Tensor], int]:
    """Return the gradients of the visual encoder, and how many of its parameters got none."""
    torch.manual_seed(0)
    model = FewShotModel(backbone, MODELS["clip-fsar"], ClipFsarConfig(heads=1, feed_forward=64)).train()
    backbone.freeze_text()
    model.set_training_text(text)
    model.zero_grad()
    torch.manual_seed(1)  # dropout
    model(pixels, torch.arange(CLASSES), 1, {"video_text": 1.0}).total.backward()
    trained = {name: p for name, p in backbone.visual.named_parameters() if p.requires_grad}
    found = {name: p.grad.clone() for name, p in trained.items() if p.grad is not None}
    assert found and all(value.isfinite().all() for value in found.values())
    return found, len(trained) - len(found)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:90] or type(error).__name__


def in_a_process(name: str, build: float, step: float) -> dict[str, str]:
    """Return the row of one architecture, examined by a fork of this process: memory comes back, crashes stay there."""
    receiver, sender = FORK.Pipe(duplex=False)

    def examine() -> None:
        try:
            sender.send(examined(name, build, step))
        except Exception as error:
            sender.send({"architecture": name, "pictures": f"fails: {_reason(error)}"})

    process = FORK.Process(target=examine)
    process.start()
    sender.close()
    try:
        row = receiver.recv()
    except EOFError:
        process.join()
        row = {"architecture": name, "pictures": f"the process ended with {process.exitcode}"}
    process.join()
    return row


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--build", type=float, default=1500, help="millions of parameters in all")
    parser.add_argument("--step", type=float, default=200, help="millions of parameters of the visual encoder")
    parser.add_argument("--minutes", type=float, default=60, help="for all; what is left then is not tried")
    options = parser.parse_args()
    torch.set_num_threads(1)  # forks may not share threads
    end = time.monotonic() + 60 * options.minutes
    print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|")
    for name in options.names or open_clip.list_models():
        row = {"architecture": name, "pictures": "not tried: no time left"}
        if time.monotonic() < end:
            row = in_a_process(name, options.build, options.step)
        print("| " + " | ".join(row.get(column, "–").replace("|", "/") for column in COLUMNS) + " |", flush=True)


if __name__ == "__main__":
    main()
