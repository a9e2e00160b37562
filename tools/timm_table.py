"""The table that `fsar.timm_facts` reads, of the installed timm."""

import timm
from timm.models import _registry as registry

from fsar.timm_facts import PLAIN


def timm_table() -> str:
    """Return the table of the installed timm: its version, then a row for each architecture and tag."""
    lines = [f"timm {timm.__version__}", "architecture,weights,height,width,plain"]
    for architecture in timm.list_models():
        plain = int(registry._model_to_module.get(architecture) == PLAIN)
        tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{architecture}.*")]
        for tag in tags or [""]:
            about = timm.get_pretrained_cfg(f"{architecture}.{tag}" if tag else architecture)
            assert about is not None  # of its own list
            height, width = about.input_size[1:]
            lines.append(f"{architecture},{tag},{height},{width},{plain}")
    return "\n".join(lines) + "\n"
