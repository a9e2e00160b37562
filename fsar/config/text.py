"""The section `text`: how class names become text features."""

from collections.abc import Iterable
from string import Formatter
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from fsar.config.names import PromptSet
from fsar.config.prompts import templates_of
from fsar.keys.declare import MODEL, Section, key

Templates = Annotated[list[str], Field(min_length=1)]


class TextConfig(Section):
    """How class names become text features (docs/backbones.md)."""

    templates: Annotated[Templates, BeforeValidator(templates_of, json_schema_input_type=Templates | PromptSet)] = key(
        "The texts of a class. {class_name} stands for its name, and {description} for a description, which "
        "gives a text for each. Or the name of a set of templates (fsar/model/prompts/).",
        MODEL,
        default=["a photo of {class_name}"],
    )
    descriptions: str = key(
        "A file that describes classes: CSV with the columns class and description, or JSON.", MODEL, default=""
    )
    average: Literal["plain", "normalised"] = key(
        "How several texts become one feature: the mean of their features as they are, or each of length one first.",
        MODEL,
        default="plain",
    )

    def problems(self) -> Iterable[str]:
        """Name what does not fit together; asked of the merged settings, never of one benchmark's own keys alone."""
        known = ("class_name", "description")
        for template in self.templates:
            try:
                names = [name for _, name, _, _ in Formatter().parse(template) if name is not None]
            except ValueError as error:
                yield f"templates: {template!r} cannot be filled: {error}"
                continue
            if unknown := [name for name in names if name not in known]:
                yield f"templates: {template!r} holds {{{unknown[0]}}}; valid are {{class_name}} and {{description}}"
            elif not names:
                yield f"templates: {template!r} does not contain {{class_name}} or {{description}}"
            elif "description" in names and not self.descriptions:
                yield f"templates: {template!r} needs a file of descriptions (key text.descriptions)"
        if self.descriptions and not any("{description}" in template for template in self.templates):
            yield "descriptions are given, but no template contains {description}: add one, such as '{description}'"
