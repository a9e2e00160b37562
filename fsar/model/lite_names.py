"""EfficientNet-Lite0's tensors under the names that timm has for them."""

# Blocks in each of the stages of timm, where the package counts them through.
DEPTHS = (1, 2, 2, 3, 3, 4, 1)
# The package's names of parts, and timm's. The first block has no expansion.
OUTSIDE = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
OTHERS = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
PLACES = [f"blocks.{stage}.{block}" for stage, depth in enumerate(DEPTHS) for block in range(depth)]


def timm_name(name: str) -> str:
    """Return timm's name of a tensor; raises KeyError where the package has no such tensor."""
    first, _, rest = name.partition(".")
    if first != "_blocks":
        return f"{OUTSIDE[first]}.{rest}"
    number, part, kind = rest.split(".")
    return f"{PLACES[int(number)]}.{(OTHERS if int(number) else FIRST)[part]}.{kind}"
