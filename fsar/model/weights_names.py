"""Finding a model's weights among the names of a file: training programs wrap models, and each puts a word before."""

import logging
import re
from collections.abc import Collection, Iterator, Mapping

from torch import Tensor

from fsar.errors import UserError
from fsar.lists import some_of

log = logging.getLogger(__name__)

# Of wrappers for several processes and of compilation, of Lightning's modules, and of what holds a backbone.
PREFIXES = ("module.", "_orig_mod.", "model.", "clip.", "clip_model.", "backbone.", "net.", "state_dict.")
# Of what is put around single modules as well; nothing else has these names.
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "_checkpoint_wrapped_module.")


def without_wrappers(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state without the names of compilation, sharding and checkpointing, wherever in a name they stand."""
    pattern = re.compile(rf"(?:^|(?<=\.))(?:{'|'.join(map(re.escape, WRAPPERS))})")
    found = {pattern.sub("", name): value for name, value in state.items()}
    return found if len(found) == len(state) else dict(state)


def without_prefixes(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state without the usual prefixes that all of its names have, nested in any order."""
    found = dict(state)
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) and name != p for name in found)), ""):
        found = {name.removeprefix(prefix): value for name, value in found.items()}
    return found


def find_part(state: Mapping[str, Tensor], wanted: Collection[str], path: str) -> dict[str, Tensor] | None:
    """Return the wanted weights of a state, by their own names: they stand under one prefix, whichever it is.

    Returns:
        What stands under the prefix, the wanted weights and others; None where no prefix has all that are wanted.

    Raises:
        UserError: several prefixes have them all, and none is a usual one.
    """
    anchor = max(wanted, key=len)
    prefixes = [name.removesuffix(anchor) for name in state if name.endswith(anchor)]
    complete = [p for p in prefixes if p[-1:] in ("", ".") and all(p + name in state for name in wanted)]
    if not complete:
        return None
    usual = [prefix for prefix in complete if _is_usual(prefix)]
    if len(complete) > 1 and len(usual) != 1:
        raise UserError(
            f"The weights file {path} holds several such models, below {', '.join(map(repr, sorted(complete)))}: save "
            "the one that is meant by itself"
        )
    prefix = (usual or complete)[0]
    _tell([name for name in state if not name.startswith(prefix)], path)
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _is_usual(prefix: str) -> bool:
    return not prefix or any(prefix.startswith(p) and _is_usual(prefix.removeprefix(p)) for p in (*PREFIXES, "visual."))


def without_others(state: Mapping[str, Tensor], own: Collection[str], path: str) -> dict[str, Tensor]:
    """Return a state without what stands beside a model, such as a head.

    What is within its parts but not its own stays: the weights are then of another architecture, and do not load.
    """
    parts = {name.partition(".")[0] for name in own}
    others = {name for name in state if name not in own and (name.partition(".")[0] not in parts or _is_constant(name))}
    _tell(others, path)
    return {name: value for name, value in state.items() if name not in others}


def _is_constant(name: str) -> bool:
    """Tell what some versions of libraries save beside weights, and others do not."""
    return name.endswith(("attn_mask", "position_ids"))


def _tell(others: Collection[str], path: str) -> None:
    if others:
        log.info("%s: left out %s, which are not of the model", path, some_of(sorted(others)))


def misfit(weights: str, model: str, error: Exception, names: Collection[str] = ()) -> UserError:
    """Say that weights are of another architecture, or that another program has given them other names."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if any("vision_model.encoder.layers." in name or "vision_model.embeddings." in name for name in names):
        return UserError(
            f"The weights {weights} have the names of Hugging Face's transformers (vision_model.…), which are not "
            f"converted here: take the same model as open_clip publishes it (a tag, such as openai, or its "
            f"open_clip_model.safetensors), for the architecture {model}"
        )
    hint = "; ".join(_hints(weights, names))
    return UserError(
        f"The weights {weights} do not fit the architecture {model}: they are of another one ({' '.join(lines[:2])})"
        + (f". {hint}" if hint else "")
    )


def _hints(weights: str, names: Collection[str]) -> Iterator[str]:
    if re.search(r"-\d+-of-\d+\.", weights):
        yield "It is one of several files: put all of them into one"
    if names:
        yield f"Names in the file: {some_of(sorted(names))}"
