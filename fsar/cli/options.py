"""What the sub-commands share: which model, which examples, and what is said of them at the start."""

import argparse
import errno
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsar.errors import NotWritableError, UserError
from fsar.files import atomic

if TYPE_CHECKING:
    from fsar.predict.few_shot_classifier import FewShotClassifier

UNREAD = 3  # exit code: done, but for what cannot be read


def add_classifier(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what the classes are, and those that choose a model."""
    _add_examples(parser)
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default="ViT-B-16",
        help="a trained model's folder (see `fsar models`), or owner/name of one on Hugging Face's hub; an "
        "architecture of open_clip or timm; or efficientnet-lite0, whose weights come by pip (default: %(default)s)",
    )
    add_model_choice(group)
    group.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    group.add_argument(
        "--frames",
        choices=["centres", "drawn"],
        default="centres",
        help="which frames of a clip are looked at: the middle ones of equal parts, or drawn by its name, as in the "
        "workflow's tests (default: %(default)s)",
    )
    group.add_argument(
        "--motion",
        type=share_or_auto,
        metavar="SHARE",
        help="how much what moves counts beside what is there: a share from 0 to 1, or auto, the share with which the "
        "examples label one another best (default: the model's own)",
    )
    group.add_argument("--threads", type=positive, help="processor cores to compute with (default: all)")


def add_model_choice(parser: argparse._ActionsContainer) -> None:
    """Add what completes the name of a model."""
    parser.add_argument(
        "--weights", help="of an architecture: a tag of its library or a local file (default: a CLIP's are openai)"
    )
    parser.add_argument("--method", help="how the model decides, such as clip-fsar-text (default: the model's own)")


def _add_examples(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("classes")
    group.add_argument(
        "--support",
        type=Path,
        help="the examples: a folder with a sub-folder per class, a CSV with the columns path and class, or a support "
        "set that was saved",
    )
    group.add_argument(
        "--names",
        nargs="+",
        metavar="NAME",
        help="names of classes, to decide by them alone; clips stand before it, or after another option or --",
    )
    group.add_argument(
        "--decide-by",
        choices=["few-shot", "text", "both"],
        help="examples, class names or both (default: as the method)",
    )


def positive(text: str) -> int:
    """Read a whole number of at least one; argparse tells what is wrong with another."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def share(text: str) -> float:
    """Read a share; argparse tells what is wrong with another."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 1:
        raise argparse.ArgumentTypeError(
            f"{text} is no share from 0 to 1; a clip stands before the option, or after --"
        )
    return found


def share_or_auto(text: str) -> "float | str":
    """Read a share or the word auto; argparse tells what is wrong with another."""
    if text == "auto":
        return text
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text} is neither auto nor a share from 0 to 1")
    return share


def writable(*files: Path | None) -> None:
    """Check that files can be written, before anything takes time.

    Raises:
        UserError: the folder cannot be made, or nothing can be written there.
    """
    for file in filter(None, files):
        trial = file.with_name(f".{file.name[:100]}.try")
        try:
            if file.is_dir():
                raise IsADirectoryError(errno.EISDIR, "it is a folder")
            with atomic(trial) as temporary:
                temporary.touch()
            trial.unlink()
        except NotWritableError as error:
            raise NotWritableError(str(error).replace(str(trial), str(file))) from None
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else "") or str(error)
            raise UserError(f"{file} cannot be written: {reason}") from None


def clips_beside_names(names: Sequence[str] | None, clips: Sequence[str | Path]) -> None:
    """Check that --names has not taken the clips; raises UserError."""
    taken = [name for name in names or () if Path(name).is_file() or (not clips and Path(name).is_dir())]
    if taken:
        raise UserError(
            f"--names takes every word after it, {taken[0]!r} too, which is a clip: name clips before --names, or put "
            "-- between"
        )


def classifier(options: argparse.Namespace) -> "FewShotClassifier":
    """Load the model and the examples, and say what they are."""
    if (options.support is None) == (options.names is None):
        raise UserError("Give either --support, the examples of each class, or --names, the names of the classes alone")
    from fsar.predict.calibrate import ENOUGH
    from fsar.predict.clips import list_examples

    if options.support is not None and options.support.suffix != ".safetensors":
        list_examples(options.support)  # a mistake is told before anything takes time
    if options.names and options.decide_by in ("few-shot", "both"):
        raise UserError(f"--names gives no examples to decide by {options.decide_by}: leave out --decide-by")
    loaded = model(options, "text" if options.names else options.decide_by)
    say(f"Model: {loaded.describe()}")
    if options.support is not None and options.support.suffix == ".safetensors":
        loaded.load_support(options.support)
    else:
        loaded.support(options.names or options.support)
    if loaded.motion_share or options.motion is not None:
        say(f"What moves counts for {loaded.motion_share:g} of the cosine of two frames.")
    shots = loaded.support_set.shots
    most, least = max(shots), min(shots)
    each = "no example" if not most else f"{least} to {most} examples each" if least < most else f"{most} examples each"
    say(f"Classes: {len(shots)}, {each}")
    if loaded.called == "score" and most:
        say(f"Scores are no probabilities: those take two examples of each class, and {ENOUGH} in all.")
    return loaded


def model(options: argparse.Namespace, decides_by: "str | None" = None) -> "FewShotClassifier":
    """Load the model alone."""
    import torch

    from fsar.predict.few_shot_classifier import FewShotClassifier

    if options.threads:
        torch.set_num_threads(options.threads)
    own: dict[str, Any] = {"method": options.method, "decides_by": decides_by, "device": options.device}
    own |= {"frames": getattr(options, "frames", "centres"), "motion": getattr(options, "motion", None)}
    return FewShotClassifier(options.model, options.weights, **own)


def score(value: float, called: str) -> str:
    """Write a score: a probability in percent, another as a plain number, so that nobody takes it for one."""
    return f"{100 * value:.1f} %" if called == "probability" else f"(score {value:.2f})"


def say(text: str) -> None:
    """Tell something about the run, apart from its results."""
    print(text, file=sys.stderr, flush=True)
