"""Trained models in the names of the public implementation, there and back."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from fsar.cli.main import main
from fsar.errors import UserError
from fsar.model.exchange import exchange, from_reference, our_name, read_state, to_reference

THEIRS = {
    "backbone.conv1.weight": (4, 3, 3, 3),
    "backbone.bn1.running_mean": (4,),
    "context2.layers.0.0.norm.weight": (8,),
    "context2.layers.0.0.norm.bias": (8,),
    "context2.layers.0.0.fn.to_q.weight": (8, 8),
    "context2.layers.0.0.fn.to_k.weight": (8, 8),
    "context2.layers.0.0.fn.to_v.weight": (8, 8),
    "context2.layers.0.0.fn.to_out.0.weight": (8, 8),
    "context2.layers.0.0.fn.to_out.0.bias": (8,),
    "context2.layers.0.1.net.0.weight": (16, 8),
    "context2.layers.0.1.net.0.bias": (16,),
    "context2.layers.0.1.net.3.weight": (8, 16),
    "context2.layers.0.1.net.3.bias": (8,),
    "scale": (1,),
}


@pytest.fixture
def theirs():
    return {name: torch.randn(shape) for name, shape in THEIRS.items()}


def test_there_and_back(theirs):
    ours = from_reference(theirs)
    assert "head.temporal_transformer.layers.0.query.weight" in ours and "visual.conv1.weight" in ours
    back = to_reference(ours)
    assert back.keys() == theirs.keys() and all(torch.equal(back[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("wrapper", ["", "head.", "module.head."])
def test_the_command_reads_whole_checkpoints(theirs, wrapper, tmp_path, capsys):
    checkpoint = {"epoch": 3, "cfg": "text", "model_state": {wrapper + name: value for name, value in theirs.items()}}
    torch.save(checkpoint, tmp_path / "theirs.pyth.pth")
    files = [str(tmp_path / name) for name in ("theirs.pyth.pth", "ours.safetensors", "back.pth")]
    assert main(["exchange", "from-reference", *files[:2]]) == 0
    assert f"{len(theirs)} parameters" in capsys.readouterr().out
    assert main(["exchange", "to-reference", *files[1:]]) == 0
    back = read_state(tmp_path / "back.pth")
    assert back.keys() == theirs.keys() and all(torch.equal(back[name], theirs[name]) for name in theirs)


def test_what_does_not_fit_is_told(theirs, tmp_path):
    with pytest.raises(UserError, match=r"'context9\.x' is not a parameter"):
        our_name("context9.x")
    with pytest.raises(UserError, match="has no counterpart"):
        to_reference({"head.metric.relations.0.key.weight": torch.zeros(1)})
    torch.save([1, 2], tmp_path / "list.pt")
    with pytest.raises(UserError, match="holds no state dict"):
        read_state(tmp_path / "list.pt")
    (tmp_path / "text.pth").write_text("not weights")
    with pytest.raises(UserError, match="cannot be read"):
        read_state(tmp_path / "text.pth")
    save_file(theirs, tmp_path / "theirs.safetensors")
    with pytest.raises(UserError, match=r"must end in \.safetensors"):
        exchange("from-reference", tmp_path / "theirs.safetensors", tmp_path / "ours.pt")
    exchange("from-reference", tmp_path / "theirs.safetensors", tmp_path / "ours.safetensors")
    assert len(load_file(tmp_path / "ours.safetensors")) == len(theirs)
