"""A model's folder that travels: complete by itself, in the layout of model hubs. Uploading is the user's own act."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub
from torch import Tensor

import fsar
from fsar.backbone_facts import words_files
from fsar.errors import UserError
from fsar.files import atomic, write_json
from fsar.keys.declare import Section
from fsar.methods import METHODS
from fsar.model.backbone import load_backbone
from fsar.model.hub_text import tokenizer_files
from fsar.model.trained_file import save_weights
from fsar.predict.folder import EXPORTED, WEIGHTS
from fsar.predict.model import LabellingModel
from fsar.predict.settings import FILES, WORDS

CARD, LICENCE = "README.md", "LICENSE"
LICENCES = "## Licences"  # the section of a trained model's card

USE_HEADING = "## Use"
USE = """## Use

```python
from fsar import FewShotClassifier

classifier = FewShotClassifier.load("{name}")  # this folder
classifier.support({{"opening a door": ["a.mp4", "b.mp4"], "closing a door": ["c.mp4", "d.mp4"]}})
table = classifier.predict(["new.mp4"])
```"""


def export_model(model: LabellingModel, folder: Path, card: Path | None = None, licence: str | None = None) -> None:
    """Write a model with everything that it needs: weights, config, card and licence.

    Args:
        model: trained, or a CLIP as it is.
        folder: to write; it may not hold anything yet.
        card: the card that the workflow has written for the model, if there is one.
        licence: of the weights; without it, what the card says, or the model's settings.

    Raises:
        UserError: the folder is in use, or the text encoder's weights cannot be loaded.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already; name a new folder")
    settings = model.settings
    taken = {WEIGHTS, EXPORTED, CARD, LICENCE}
    for section, key in FILES:
        own: Section = getattr(settings, section)
        file = Path(getattr(own, key))
        if file.is_file():
            name = file.name if file.name not in taken else f"{key}-{file.name}"
            taken.add(name)
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / name)
            changed: dict[str, Any] = {section: own.model_copy(update={key: name})}
            settings = replace(settings, **changed)
    if files := words_files(settings.backbone.words):
        (folder / WORDS).mkdir(parents=True)
        for file in files:
            shutil.copy(file, folder / WORDS / file.name)
        settings = replace(settings, backbone=settings.backbone.model_copy(update={"words": WORDS}))
    if model.settings.backbone.has_text and model.settings.backbone.video:
        for file in tokenizer_files(Path(model.settings.backbone.model).parent):
            shutil.copy(file, folder / file.name)
    save_weights(complete_state(model), folder / WEIGHTS)
    about = {"library_name": "fsar", "fsar_version": fsar.__version__, "model_type": "few-shot-action-recognition"}
    written = card.read_text(encoding="utf-8") if card is not None and card.is_file() else _plain_card(model)
    terms = (licence or _section(written, LICENCES) or settings.licence).strip()
    write_json(folder / EXPORTED, replace(settings, licence=terms).record() | about)
    described = huggingface_hub.ModelCard(written, ignore_metadata_errors=True)
    # What is not among the hub's licences by name is named by a file.
    for key, value in (("license", "other"), ("license_name", "see-license"), ("license_link", LICENCE)):
        described.data[key] = value
    text = described.text.partition(USE_HEADING)[0].rstrip()
    if licence:  # beside it nothing else may be said of terms
        text = text.replace(f"{LICENCES}\n\n{_section(text, LICENCES)}", "").rstrip() + f"\n\n{LICENCES}\n\n{terms}"
    described.text = f"{text}\n\n{USE.format(name=folder.name)}\n"
    for name, text in ((CARD, str(described)), (LICENCE, f"{terms}\n")):
        with atomic(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")


def complete_state(model: LabellingModel) -> dict[str, Tensor]:
    """Return every weight of a model: visual encoder, adapters and head as trained, and the text encoder."""
    complete = model.has_text or not model.backbone.has_text
    text = model.backbone if complete else load_backbone(model.settings.backbone, trained=True)
    state = {f"visual.{name}": value for name, value in model.backbone.visual.state_dict().items()}
    if model.backbone.adapters is not None:
        state |= {f"adapters.{name}": value for name, value in model.backbone.adapters.state_dict().items()}
    state |= {f"head.{name}": value for name, value in model.model.head.state_dict().items()}
    others = (item for item in text.encoders.state_dict().items() if not item[0].startswith("visual."))
    return state | {f"text.{name}": value for name, value in others}


def _plain_card(model: LabellingModel) -> str:
    settings = model.settings
    method = METHODS[settings.method]
    data = huggingface_hub.ModelCardData(
        library_name="fsar", pipeline_tag="video-classification", tags=["few-shot-action-recognition", "clip"]
    )
    return f"---\n{data.to_yaml()}\n---\n\n# {method.title}\n\n{method.citation}.\n\n{settings.knows}.\n"


def _section(card: str, heading: str) -> str:
    """Return the text of a section of a card; empty if it has none."""
    _, _, after = card.partition(f"{heading}\n")
    return after.partition("\n## ")[0].strip()
