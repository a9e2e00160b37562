"""The sections `heads` and `adapters`: a section for each method that has settings, from the records."""

from typing import TYPE_CHECKING, Any, Literal

from pydantic import create_model

from fsar.keys.declare import Section, section
from fsar.methods import RECORDS


def _sections(name: str, about: str, kind: Literal["head", "adapters"]) -> type[Section]:
    own = {folder: (getattr(record, kind), record.title) for folder, record in RECORDS.items()}
    fields: dict[str, Any] = {
        folder: (settings, section(title, default=settings())) for folder, (settings, title) in own.items() if settings
    }
    return create_model(name, __base__=Section, __doc__=about, **fields)


if TYPE_CHECKING:

    class HeadsConfig(Section): ...

    class AdaptersConfig(Section): ...

else:
    HeadsConfig = _sections("HeadsConfig", "The heads, by the folders of their methods.", "head")
    AdaptersConfig = _sections("AdaptersConfig", "Adapters, by the folders of their methods.", "adapters")
