"""TS-FSAR: yaozhang0417/TS-FSAR. A file holds a whole small CLIP with the names of transformers, or initialisations."""

import re

import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from fsar.methods import Components
from fsar.methods.tsfsar.principal import reduced, resized
from fsar.methods.tsfsar.record import TsfsarConfig
from fsar.model.backbone import Backbone
from fsar.model.few_shot import FewShotModel
from tests.public_code.golden import Computed, Golden, without_dropout

# Parts of names that are written otherwise in the model, in this order.
OUR_PARTS = (
    ("ts_dcm.generator", "head.generator"),
    ("model.side_downsample", "head.side.reduce"),
    ("model.side_LN", "head.side.norms"),
    ("model.side_transformer", "head.side.blocks"),
    ("model.Adapter", "head.adapter"),
    ("model.up_linear", "head.enlarge"),
    ("model.up_ln", "head.enlarge_norm"),
    ("model.Linear", "head.for_training.classifier"),
    (".attn.", ".attention."),
    ("q_linear", "query"),
    ("k_linear", "key"),
    ("v_linear", "value"),
    ("attention.proj", "attention.output"),
    ("mlp.fc1", "expand"),
    ("mlp.fc2", "contract"),
    ("norm1", "norm_1"),
    ("norm2", "norm_2"),
    ("adapter.norm_1", "adapter.norm"),
)
OUR_CLIP = (
    ("model.embeddings.class_embedding", "class_embedding"),
    ("model.embeddings.patch_embedding", "conv1"),
    ("model.embeddings.position_embedding.weight", "positional_embedding"),
    ("model.pre_layernorm", "ln_pre"),
    ("model.post_layernorm", "ln_post"),
    ("model.layers", "transformer.resblocks"),
    ("self_attn.out_proj", "attn.out_proj"),
    ("layer_norm", "ln_"),
    ("fc1", "c_fc"),
    ("fc2", "c_proj"),
)
OF_CLIP = re.compile(r"model\.(embeddings|pre_layernorm|post_layernorm|layers|projection)\b")
SPLIT = re.compile(r"model\.layers\.(\d+)\.self_attn\.([qkv])_proj\.(weight|bias)")
GATE = re.compile(r"model\.side_gate_params\.(\d+)")


class Clip(nn.Module):
    """What a backbone needs of CLIP where texts are encoded already."""

    def __init__(self, visual: nn.Module):
        super().__init__()
        self.visual = visual


def run(golden: Golden, stem: str) -> Computed:
    return initialisation(golden) if "target_width" in golden.tensors else training(golden)


def initialisation(golden: Golden) -> Computed:
    width = golden.number("target_width")
    shapes = {"attention": (width, width), "fc1": (4 * width, width), "fc2": (width, 4 * width)}
    outputs = {}
    for name in golden.named("out_"):
        rows, columns = shapes[name.rsplit("_", 1)[0]]
        larger = golden.tensors[name]
        made = resized(larger, rows) if larger.dim() == 1 else reduced(larger, rows, columns)
        outputs[f"out_{name}"] = made.float()
    return Computed(outputs, None, {})


def training(golden: Golden) -> Computed:
    model = loaded(golden)
    frames = golden.number("frames")
    supports = len(golden.tensors["in_support_labels"])
    ours = golden.tensors["in_support_labels"].argsort(stable=True), golden.in_our_order()
    order = torch.cat([ours[0], supports + ours[1]])
    pictures = golden.tensors["in_images_times_10"].unflatten(0, (-1, frames))  # (V, T, 3, H, W)
    videos = pictures[order].permute(0, 1, 3, 4, 2)
    weight = float(golden.tensors["weights"][0])
    shot = supports // golden.number("way")
    outcome = golden.outcome(model, videos, golden.training_classes(), shot, {"few_shot": weight})
    golden.backward(outcome.total)

    given = model.backbone.give(videos, model.head.needs)
    stored = model.head.store(given)
    split = [{name: each[part] for name, each in model.head.video_stage(stored).items()}
             for part in (slice(supports), slice(supports, None))]  # fmt: skip
    support = {name: each.unflatten(0, (1, golden.number("way"), shot)) for name, each in split[0].items()}
    score = model.head.few_shot_scores(support, {name: each.unsqueeze(0) for name, each in split[1].items()})
    outputs = {
        "out_side": golden.to_file_order(model.head.side(given["tokens"])).flatten(0, 1),
        "out_clip": golden.to_file_order(given["frames"]).flatten(0, 1),
        "out_representation": golden.to_file_order(stored["described"]).flatten(0, 1),
        "out_score": golden.in_file_order(score[0]),
        "loss_total": outcome.total,
        "loss_vision": outcome.losses["few_shot"],
        "loss_class_side": outcome.losses["classification"],
        "loss_text_clip": outcome.losses["text_clip"],
        "loss_text_side": outcome.losses["text_side"],
        "loss_kl": outcome.losses["distillation"],
    }
    return Computed(outputs, model, gradients(model, golden))


def loaded(golden: Golden) -> FewShotModel:
    """Build the model with the sizes and weights of a file."""
    tensors = golden.tensors
    side_width = len(tensors["param_model.up_ln.weight"])
    both = {name: [golden.value(scalar)] * 2 for name, scalar in (("text_scale", "text_temperature"),)}
    powers = ("few_shot_power", "text_clip_power", "text_side_power")
    both |= {name: [value] * 2 for name, value in zip(powers, tensors["fuse"].tolist(), strict=True)}
    _, classification, text_side, distillation = tensors["weights"].tolist()
    settings = TsfsarConfig(
        side_width=side_width,
        head_width=side_width // golden.number("side_heads"),
        temporal_layers=tensors["temporal_layers"].tolist(),
        gate_temperature=golden.value("gate_temperature"),
        adapter_ratio=golden.value("adapter_ratio"),
        alpha=golden.value("alpha"),
        classification_weight=classification,
        text_side_weight=[text_side] * 2,
        distillation_weight=[distillation] * 2,
        distillation_temperature=golden.value("kd_temperature"),
        **both,
    )
    classes = len(tensors["param_model.Linear.weight"])
    components = Components(head="tsfsar", trains="head")
    model = FewShotModel(backbone(golden), components, settings, golden.number("frames"), classes)
    without_dropout(model).load_state_dict(state(golden))
    model.set_training_text(golden.texts("in_class_text"))
    return model


def backbone(golden: Golden) -> Backbone:
    """Build CLIP's visual encoder with the sizes of a file; it is given ten times the pixels, as the file has them."""
    width, _, patch, _ = golden.tensors["param_model.embeddings.patch_embedding.weight"].shape
    layers = len({name.split(".")[2] for name in golden.named("param_") if name.startswith("model.layers.")})
    output = len(golden.tensors["param_model.projection.weight"])
    ratio = len(golden.tensors["param_model.layers.0.mlp.fc1.bias"]) / width
    size = golden.tensors["in_images_times_10"].shape[-1]
    visual = VisionTransformer(
        size, patch, width, layers, golden.number("clip_heads"), ratio, output_dim=output, act_layer=QuickGELU
    )
    return Backbone(Clip(visual), output, size, [0.0] * 3, [10 / 255] * 3, None, "of the file")


def our_name(name: str) -> str:
    """Return our name of a parameter that is one of ours, too."""
    for theirs, ours in OUR_CLIP if OF_CLIP.match(name) else OUR_PARTS:
        name = name.replace(theirs, ours)
    return name


def state(golden: Golden) -> dict[str, Tensor]:
    """Return the file's weights as the model has them; open_clip's are called the same below `backbone`."""
    weights = golden.named("param_")
    ours: dict[str, Tensor] = {}
    gates = {int(found[1]): weights[name] for name in weights if (found := GATE.fullmatch(name))}
    ours["head.side.gates"] = torch.cat([gates[number] for number in sorted(gates)])
    for name, weight in weights.items():
        if found := SPLIT.fullmatch(name):
            if found[2] == "q":
                parts = [weights[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
                ours[packed(found)] = torch.cat(parts)
        elif name == "model.projection.weight":
            ours["backbone.encoders.visual.proj"] = weight.T
        elif not GATE.fullmatch(name):
            prefix = "backbone.encoders.visual." if OF_CLIP.match(name) else ""
            ours[prefix + our_name(name)] = weight
    return ours


def packed(found: re.Match[str]) -> str:
    return f"backbone.encoders.visual.transformer.resblocks.{found[1]}.attn.in_proj_{found[3]}"


def gradients(model: nn.Module, golden: Golden) -> dict[str, Tensor | None]:
    """Return the gradient of each of the file's parameters."""
    parameters = dict(model.named_parameters())
    result: dict[str, Tensor | None] = {}
    for name in golden.named("grad_"):
        if gate := GATE.fullmatch(name):
            found = parameters["head.side.gates"].grad[int(gate[1])].unsqueeze(0)
        elif split := SPLIT.fullmatch(name):
            found = parameters[packed(split)].grad.chunk(3)["qkv".index(split[2])]
        elif name == "model.projection.weight":
            found = parameters["backbone.encoders.visual.proj"].grad.T
        else:
            prefix = "backbone.encoders.visual." if OF_CLIP.match(name) else ""
            found = parameters[prefix + our_name(name)].grad
        result[f"grad_{name}"] = found
    return result
