"""Lists in messages: the first few of many, with how many more there are."""

from collections.abc import Mapping, Sequence


def some_of(names: Sequence[str], most: int = 5) -> str:
    """Write names into a sentence."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def lines_of(sentences: Sequence[str], most: int = 10) -> str:
    """Write sentences below one another."""
    more = [f"  … and {len(sentences) - most} more"] if len(sentences) > most else []
    return "\n".join([f"  - {sentence}" for sentence in sentences[:most]] + more)


def differences(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Write below one another what was different; of contents, whose values are checksums, only that they were."""
    sentences = []
    for key in sorted({*then, *now}):
        if then.get(key) != now.get(key):
            before, after = then.get(key) or "the default", now.get(key) or "the default"
            contents = key.startswith("the ") or (before.startswith("sha256 ") and after.startswith("sha256 "))
            sentences.append(f"{key}: other contents" if contents else f"{key}: {before} then, {after} now")
    return lines_of(sentences)
