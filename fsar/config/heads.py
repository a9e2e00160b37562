"""The settings of the heads other than CLIP-FSAR's: a section for each, `heads.<name>` in the config."""

from fsar.config.declare import Section


class HeadsConfig(Section):
    """The settings of the heads other than CLIP-FSAR's, by head."""
