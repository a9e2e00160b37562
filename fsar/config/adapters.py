"""The settings of the adapters: a section for each kind, `adapters.<name>` in the config."""

from fsar.config.declare import Section


class AdaptersConfig(Section):
    """The kinds of adapters, by the names of their files."""
