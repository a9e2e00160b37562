"""The table of what timm knows: it is true, and who asks it imports no PyTorch."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from fsar import timm_facts
from fsar.backbone_facts import backbone_facts
from fsar.errors import UserError
from tools.timm_table import timm_table

OF_THE_TABLE = timm_facts.FILE.read_text().splitlines()[0].removeprefix("timm ")


@pytest.mark.skipif(version("timm") != OF_THE_TABLE, reason="the table is of another version of timm")
def test_the_table_is_what_timm_says():
    assert timm_table() == timm_facts.FILE.read_text()


@pytest.mark.skipif(version("timm") != OF_THE_TABLE, reason="the table is of another version of timm")
def test_facts_are_looked_up_without_pytorch(repository):
    program = """
import sys
from fsar.backbone_facts import backbone_facts
print(backbone_facts("timm", "resnet50", "tv_in1k", 0).size, backbone_facts("open_clip", "ViT-B-16-SigLIP", "webli", 0))
assert not {"torch", "timm"} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("224 ")


def test_without_the_table_the_facts_are_the_same(monkeypatch):
    asked = [
        ("resnet50", "tv_in1k"),
        ("vit_small_patch14_dinov2", "lvd142m"),
        ("swin_tiny_patch4_window7_224", "ms_in1k"),
    ]
    known = [backbone_facts("timm", *own, 0) for own in asked]
    monkeypatch.setattr(timm_facts, "_is_of_installed", lambda first: False)
    for cached in (timm_facts._table, timm_facts._architectures):
        cached.cache_clear()
    assert [backbone_facts("timm", *own, 0) for own in asked] == known
    assert [own.transformer for own in known] == [False, True, False]
    for cached in (timm_facts._table, timm_facts._architectures):
        cached.cache_clear()


def test_a_tag_that_timm_does_not_have_is_told():
    with pytest.raises(UserError, match="timm has no weights 'nothing' for resnet50"):
        backbone_facts("timm", "resnet50", "nothing", 0)
    with pytest.raises(UserError, match="two tags"):
        backbone_facts("timm", "resnet50.tv_in1k", "tv2_in1k", 0)
