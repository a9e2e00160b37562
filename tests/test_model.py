"""Backbone, head and matching beyond the golden tensors."""

import math

import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from fsar.config import BackboneConfig, HeadConfig
from fsar.errors import UserError
from fsar.model.backbone import load_backbone
from fsar.model.few_shot import FewShotModel, load_model, load_weights, save_weights
from fsar.model.head import Head
from fsar.model.matching import otam, otam_distance
from fsar.model.methods import METHODS


def otam_cell_by_cell(distances, smoothing):
    """The recurrence as it is written, for one (L, T) table of Python floats."""

    def softmin(*costs):
        lowest = min(costs)
        return lowest - smoothing * math.log(sum(math.exp((lowest - cost) / smoothing) for cost in costs))

    rows = [[0.0, *row, 0.0] for row in distances]
    table = [[0.0] * len(rows[0]) for _ in rows]
    last = len(rows[0]) - 1
    for m in range(1, last + 1):
        table[0][m] = table[0][m - 1] + rows[0][m]
    for i in range(1, len(rows)):
        for m in range(1, last + 1):
            options = [table[i - 1][m - 1], table[i][m - 1]]
            if m in (1, last):
                options.append(table[i - 1][m])
            table[i][m] = rows[i][m] + softmin(*options)
    return table[-1][-1]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(2, 9),
    smoothing=st.sampled_from([0.01, 0.1, 0.5, 2.0]),
    seed=st.integers(0, 99),
)
def test_otam_equals_the_recurrence_cell_by_cell(rows, columns, smoothing, seed):
    distances = torch.rand(2, rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 2
    expected = [otam_cell_by_cell(table.tolist(), smoothing) for table in distances]
    torch.testing.assert_close(otam(distances, smoothing), torch.tensor(expected, dtype=torch.float64))


def test_otam_does_not_overflow():
    distances = torch.tensor([[1e3, 0.0, 1e3], [0.0, 1e3, 0.0]], requires_grad=True)
    cost = otam(distances, 0.01)
    cost.backward()
    assert torch.isfinite(cost) and torch.isfinite(distances.grad).all()


def test_otam_gradient_is_right():
    distances = torch.rand(2, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda d: otam(d, 0.3), distances)


def test_the_same_video_is_nearest_and_order_matters():
    videos = torch.randn(4, 8, 32)
    distances = otam_distance(videos, videos)
    assert (distances.argmin(dim=1) == torch.arange(4)).all()
    reversed_too = otam_distance(videos[:1], torch.stack([videos[0], videos[0].flip(0)]))
    assert reversed_too[0, 0] < reversed_too[0, 1] - 1


def test_the_order_of_classes_and_queries_does_not_matter():
    torch.manual_seed(0)
    head = Head(METHODS["clip-fsar"], 32, HeadConfig(feed_forward=64)).eval()
    support, queries, text = torch.randn(5, 2, 8, 32), torch.randn(7, 8, 32), torch.randn(5, 32)
    logits = head.few_shot_logits(support, queries, text)
    classes, order = torch.randperm(5), torch.randperm(7)
    permuted = head.few_shot_logits(support[classes], queries[order], text[classes])
    torch.testing.assert_close(permuted, logits[order][:, classes])
    torch.testing.assert_close(head.few_shot_logits(support.flip(1), queries, text), logits)


def test_components_follow_the_method():
    with_text = Head(METHODS["clip-fsar"], 32, HeadConfig(feed_forward=64)).eval()
    support, queries, text = torch.randn(5, 1, 8, 32), torch.randn(5, 8, 32), torch.randn(5, 32)
    assert not torch.allclose(
        with_text.few_shot_logits(support, queries, text), with_text.few_shot_logits(support, queries, -text)
    )
    plain = Head(METHODS["otam"], 32, HeadConfig())
    assert list(plain.parameters()) == []
    torch.testing.assert_close(plain.few_shot_logits(support, queries, text), -otam_distance(queries, support[:, 0]))
    with pytest.raises(ValueError, match="no video-text objective"):
        plain.class_logits(queries, text)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A small CLIP with random weights, as a file."""
    load_backbone_names = open_clip.list_models()
    assert "small-clip" in load_backbone_names
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_file(open_clip.create_model("small-clip", load_weights=False).state_dict(), path)
    return str(path)


def test_a_local_file_loads_and_encodes(weights):
    backbone = load_backbone("small-clip", weights).eval()
    videos = torch.randint(0, 256, (2, 3, 64, 64, 3), dtype=torch.uint8)
    with torch.inference_mode():
        features = backbone(videos)
    assert features.shape == (2, 3, backbone.width) and backbone.image_size == 64
    # the same as open_clip's own way: float pictures, normalised
    pixels = videos[1, 2].permute(2, 0, 1).float() / 255
    mean, std = (
        torch.tensor(v).view(3, 1, 1) for v in (backbone.clip.visual.image_mean, backbone.clip.visual.image_std)
    )
    with torch.inference_mode():
        expected = backbone.clip.encode_image(((pixels - mean) / std).unsqueeze(0))[0]
    torch.testing.assert_close(features[1, 2], expected, rtol=1e-4, atol=1e-5)
    assert backbone.encode_text(["a photo of a star"]).shape == (1, backbone.width)


def test_an_architecture_of_ones_own(weights, repository, tmp_path):
    own = tmp_path / "mine.json"
    own.write_text((repository / "fsar/model/architectures/small-clip.json").read_text())
    assert load_backbone(str(own), weights).width == 128
    own.write_text("{}")
    with pytest.raises(UserError, match="lacks embed_dim, text_cfg, vision_cfg"):
        load_backbone(str(own), weights)


def test_wrong_weights_are_told(weights, tmp_path):
    with pytest.raises(UserError, match="do not fit the architecture RN50-quickgelu: they are of another one"):
        load_backbone("RN50-quickgelu", weights)
    with pytest.raises(UserError, match=r"There is no weights file none\.safetensors"):
        load_backbone("small-clip", "none.safetensors")
    with pytest.raises(UserError, match="did you mean RN50-quickgelu"):
        load_backbone("RN50-quickglu", weights)
    with pytest.raises(UserError, match="has no weights 'opnai' for RN50-quickgelu; it has: openai"):
        load_backbone("RN50-quickgelu", "opnai")
    (tmp_path / "text.safetensors").write_text("not weights")
    with pytest.raises(UserError, match="cannot be read"):
        load_backbone("small-clip", str(tmp_path / "text.safetensors"))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "harm"), "w"))

    torch.save({"weights": Harmful()}, tmp_path / "harmful.pt")
    with pytest.raises(UserError, match="cannot be read"):
        load_backbone("small-clip", str(tmp_path / "harmful.pt"))
    assert not (tmp_path / "harm").exists()


def test_no_network(monkeypatch):
    import huggingface_hub

    def no_network(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr("open_clip.factory.download_pretrained", no_network)
    assert huggingface_hub  # the hub client that open_clip would ask
    with pytest.raises(UserError, match=r"(?s)could not be downloaded: .*Network is unreachable.*backbones.….weights"):
        load_backbone("RN50-quickgelu", "openai")


def test_trained_weights_round_trip_and_misfit(weights, tmp_path):
    backbone = BackboneConfig(model="small-clip", weights=weights)
    config = HeadConfig(feed_forward=64)
    torch.manual_seed(1)
    model = FewShotModel(load_backbone("small-clip", weights), METHODS["clip-fsar"], config)
    save_weights(model.trained_state(), tmp_path / "model.safetensors")
    loaded = load_model(backbone, "clip-fsar", config, tmp_path / "model.safetensors")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=0, atol=0)
    with pytest.raises(UserError, match="of another backbone or method"):
        load_weights(
            FewShotModel(load_backbone("small-clip", weights), METHODS["otam"], config), tmp_path / "model.safetensors"
        )
    with pytest.raises(UserError, match=r"head\.heads is 7, which does not divide"):
        FewShotModel(load_backbone("small-clip", weights), METHODS["clip-fsar"], HeadConfig(heads=7))
