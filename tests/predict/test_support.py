"""A support set as a file: everything in it comes back, each clip's with the clip."""

import torch

from fsar.predict.support import SupportSet


def test_a_support_set_comes_back_whole(tmp_path):
    """Strips of different lengths among them, and one that is empty."""
    made = SupportSet(
        class_names=["a", "b"],
        video_ids=["x", "y", "z"],
        paths=["x.mp4", "y.mp4", "z.mp4"],
        labels=torch.tensor([1, 0, 1]),
        stored={"frames": torch.randn(3, 2, 4), "more": torch.randn(3, 5)},
        text=torch.randn(2, 4),
        text_scale=7.0,
        strips=[b"first", b"", b"the third"],
        temperature=0.5,
        provenance={"decides_by": "both"},
    )
    made.save(tmp_path / "support.safetensors")
    read = SupportSet.read(tmp_path / "support.safetensors")
    assert read.strips == made.strips and read.shots == [1, 2]
    for name in ("class_names", "video_ids", "paths", "text_scale", "temperature", "provenance"):
        assert getattr(read, name) == getattr(made, name), name
    assert torch.equal(read.labels, made.labels) and torch.equal(read.text, made.text)
    assert all(torch.equal(read.stored[name], made.stored[name]) for name in ("frames", "more"))
