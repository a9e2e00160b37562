"""What docs/motion.md is measured with: lists that deal classes, and what is learnt beside the method."""

import numpy as np
import pandas as pd
import pytest
import torch

from fsar.errors import UserError
from fsar.methods.blocks.motion import beside_motion
from perf import deal_classes
from perf.motion_learnt import Learnt, Videos, logits, train


def test_classes_are_dealt_and_those_with_a_split_keep_it(tmp_path):
    rows = [
        (f"{name}/{i}.mp4", name, "val" if name == "other" else "") for name in [*"abcdef", "other"] for i in (1, 2)
    ]
    pd.DataFrame(rows, columns=["path", "class", "split"]).to_csv(tmp_path / "videos.csv", index=False)
    deal_classes.main([str(tmp_path / "videos.csv"), str(tmp_path / "lists"), "--test", "2", "--deals", "4"])
    every, *deals = (pd.read_csv(path) for path in sorted((tmp_path / "lists").iterdir()))
    assert every["path"].tolist() == [str(tmp_path / path) for path, *_ in rows]
    assert every["split"].tolist() == ["train"] * 12 + ["val"] * 2
    tested = [tuple(own["class"].unique()) for own in deals]
    assert all(len(own) == 4 and set(own["split"]) == {"test"} for own in deals)
    assert len(tested) == 4 and len(set(tested)) > 1 and not any("other" in own for own in tested)
    with pytest.raises(UserError, match="has 6 classes without a split: too few to test on 6 of them"):
        deal_classes.main([str(tmp_path / "videos.csv"), str(tmp_path / "lists"), "--test", "6"])


def test_what_is_learnt_begins_as_the_method_and_leaves_it_by_training():
    torch.manual_seed(0)
    labels = np.repeat([f"class {i}" for i in range(6)], 4)
    videos = Videos(torch.randn(24, 6, 8) + torch.randn(6, 1, 8).repeat_interleave(4, dim=0), labels)
    plain, own = Learnt(8, 6, 0.75), Learnt(8, 6, 0.75, taps=3, learns_share=True)
    for head in (plain, own):
        torch.testing.assert_close(head.represent(videos.frames)["frames"], beside_motion(videos.frames, 0.75))
    before = logits(own, videos.frames, videos.episodes(1, 4))
    assert before.shape == (4, 5, 5)
    train(own, videos, steps=3)
    assert own.said() != plain.said() and not torch.equal(logits(own, videos.frames, videos.episodes(1, 4)), before)
