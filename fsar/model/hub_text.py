"""Text encoders and tokenizers of Hugging Face, from a folder, or of the hub at one commit."""

from collections.abc import Sequence
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from fsar.backbone_facts import TEXT_EXTRA
from fsar.errors import UserError
from fsar.lists import some_of
from fsar.video_encoders import fetched

# Tokens of a text; what is longer is cut.
LONGEST = 128
# Parts of checkpoints that words do not come from: poolers, and heads of the pretraining.
BESIDE = ("pooler.", "cls.", "lm_head.", "head.", "decoder.", "vocab_")


class HubTokenizer:
    """A tokenizer: n texts → (n, L) numbers, L as the longest text needs and at most `LONGEST`.

    Args:
        name: a folder, or a repository of the hub.
        revision: its commit there; empty for a folder.

    Raises:
        UserError: transformers is not installed, or there is no tokenizer.
    """

    def __init__(self, name: str, revision: str):
        self._tokenizer: Any = _from(name, revision, "AutoTokenizer", "tokenizer")
        if not set(self._tokenizer.get_vocab()) - set(self._tokenizer.all_special_tokens):
            raise UserError(  # transformers makes an empty one where there is none, to which all texts are alike
                f"The tokenizer of {name} knows no words: put the files of its tokenizer beside its config.json"
            )
        if self._tokenizer.pad_token_id is None:
            raise UserError(f"The tokenizer of {name} has no token to fill texts up with (pad_token)")
        self.filling: int = self._tokenizer.pad_token_id

    def __call__(self, texts: list[str]) -> Tensor:
        """Return the numbers of texts' tokens, filled up with `filling`."""
        found: Tensor = self._tokenizer(
            texts, padding=True, truncation=True, max_length=LONGEST, return_tensors="pt"
        ).input_ids
        return found


class WordEncoder:
    """A text encoder such as BERT, whose words are its last hidden states; it is not trained.

    Args:
        named: a folder, or a repository of the hub, `@` and its commit.
    """

    def __init__(self, named: str):
        self.name, _, self.revision = named.partition("@")

    @cached_property
    def tokenizer(self) -> HubTokenizer:
        """Its tokenizer; raises as `HubTokenizer`."""
        return HubTokenizer(self.name, self.revision)

    @cached_property
    def model(self) -> Any:
        """The encoder with all its weights.

        Raises:
            UserError: transformers is not installed, or the weights are not there or not all of the encoder's.
        """
        model, info = _from(
            self.name,
            self.revision,
            "AutoModel",
            "text encoder",
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
        wrong = [name for name in (*info["missing_keys"], *info["unexpected_keys"]) if not name.startswith(BESIDE)]
        if wrong or info["mismatched_keys"]:
            raise UserError(
                f"The weights of the text encoder {self.name} are not those of its description: "
                f"{some_of(sorted([*wrong, *map(str, info['mismatched_keys'])]))}"
            )
        return model.eval().requires_grad_(False)

    def tokens(self, texts: Sequence[str]) -> Tensor:
        """Return the tokens of texts, (n, L)."""
        return self.tokenizer(list(texts))

    @torch.no_grad()
    def words(self, tokens: Tensor) -> Tensor:
        """Encode the tokens of texts, beginning and end included: (n, L) → (n, L, D) float32; zero after the end."""
        mask = tokens != self.tokenizer.filling
        found: Tensor = self.model(input_ids=tokens, attention_mask=mask.long()).last_hidden_state
        return found.float() * mask.unsqueeze(-1)


def tokenizer_files(folder: Path) -> list[Path]:
    """Return the files of the tokenizer in a folder, if there is one: what else lies there may be another model's."""
    names = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "tokenizer.model")
    return [folder / name for name in names if (folder / name).is_file()]


def word_encoder(named: str) -> WordEncoder | None:
    """Return the text encoder of a name, which is loaded when a text is asked for; None of an empty one."""
    return WordEncoder(named) if named else None


def _from(name: str, revision: str, kind: str, what: str, **options: Any) -> Any:
    """Load something by a class of transformers, without running code that comes with it."""
    try:
        library: Any = import_module("transformers")
    except ImportError as error:
        raise UserError(f"The {what} {name} needs a package that is not installed: {TEXT_EXTRA}") from error
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    if revision:
        fetched(name, revision, "config.json")  # which says what is wrong with a name, a commit or the network
        options["revision"] = revision
    elif not (Path(name) / "config.json").is_file():
        raise UserError(
            f"{name} is no folder of a {what}: it has no config.json. Name a folder, or a repository of the hub with "
            "its commit, as NAME@COMMIT"
        )
    try:
        return getattr(library, kind).from_pretrained(name, trust_remote_code=False, **options)
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        first = str(error).strip().partition("\n")[0]
        raise UserError(f"The {what} {name} cannot be loaded: {first}") from error
