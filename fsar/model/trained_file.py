"""The file of a trained model's weights: safetensors with a seal, and what the model is made of."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from fsar.errors import UserError
from fsar.files import atomic
from fsar.methods import Components
from fsar.model.finite import check_weights
from fsar.seal import OPEN, seal, whole

# The one entry of the metadata, since safetensors writes several in random order.
ABOUT = "fsar"
# With which the names of the weights begin.
PARTS = ("visual", "text", "adapters", "head")
REMEDY = "Delete it to train the model again, or bring back what was given"


def save_weights(state: Mapping[str, Tensor], path: Path, components: Components | None = None) -> None:
    """Write a trained state, with what the model is made of where it is known."""
    about = {"seal": OPEN} | ({} if components is None else {"components": asdict(components)})
    with atomic(path) as temporary:
        tensors = {name: value.detach().cpu().contiguous() for name, value in state.items()}
        save_file(tensors, temporary, metadata={ABOUT: json.dumps(about, sort_keys=True)})
        seal(temporary)


def read_trained(path: Path, components: Components, parts: Sequence[str] | None = None) -> dict[str, Tensor]:
    """Read a file of `save_weights`, or one of elsewhere, which does not say what it is.

    Args:
        path: of the file.
        components: what the model is made of; without its head, what of that videos are encoded by.
        parts: of the model, among `PARTS`; None for all.

    Raises:
        UserError: it cannot be read, is damaged, is of another method, or is not finite.
    """
    with whole(path, REMEDY, foreign=True), safe_open(path, framework="pt") as file:
        about = json.loads((file.metadata() or {}).get(ABOUT, "{}"))
        names = list(file.keys())
        if others := sorted({part for name in names if (part := name.partition(".")[0]) not in PARTS}):
            raise UserError(f"{path} holds no weights of a trained model, but {others[0]!r}. {REMEDY}.")
        names = [name for name in names if parts is None or name.partition(".")[0] in parts]
        state = {name: file.get_tensor(name) for name in names}
        if "components" in about:
            found = Components(**about["components"])
            with_head = parts is None or "head" in parts
            _check(path, *((found, components) if with_head else (found.encoding, components.encoding)))
    check_weights(state, path)
    return state


def part_of(state: Mapping[str, Tensor], part: str) -> dict[str, Tensor]:
    """Return what a trained state has of one part, without the part's name."""
    return {name.removeprefix(f"{part}."): value for name, value in state.items() if name.startswith(f"{part}.")}


def fill(
    load: Callable[[dict[str, Tensor]], object], state: Mapping[str, Tensor], part: str, origin: str | Path
) -> None:
    """Give a trained part to what loads it.

    Raises:
        UserError: it is of another architecture or method.
    """
    try:
        load(part_of(state, part))
    except RuntimeError as error:
        first = next((line.strip() for line in str(error).splitlines()[1:]), str(error))
        raise UserError(f"{origin} is of another backbone or method. First difference: {first}") from None


def _check(path: Path, found: Components, wanted: Components) -> None:
    if found == wanted:
        return
    own, other = asdict(found), asdict(wanted)
    differ = [f"{name} {own[name]!r}, not {other[name]!r}" for name in own if own[name] != other[name]]
    raise UserError(
        f"The trained weights {path} are of another method: {'; '.join(differ)}. Name them for the method that they "
        "were trained for, or others for this one."
    )
