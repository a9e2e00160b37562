"""Encoders of video in a config: how their clips are cut, and what is told before any job. Nothing here builds one."""

import copy
import json
import re

import numpy as np
import pytest
import yaml
from snakemake.utils import update_config

from fsar.config import SamplingConfig, load
from fsar.config.overview import effective, left_out
from fsar.errors import UserError
from fsar.plan.plan import Plan, PlannedModel
from fsar.plan.records import facts_of
from fsar.plan.rows import rows, rows_with_unknown
from fsar.video_encoders import described
from fsar.videos.sampling import positions_at_test, sample_positions

VIDEO = "small-videomae"


@pytest.fixture
def values(repository):
    """The tiny benchmark with the small CLIP and an encoder of video of 8 frames in 4 steps."""
    values = yaml.safe_load((repository / "configs/tiny.yaml").read_text())
    values["run"] |= {"backbones": [VIDEO], "methods": ["otam", "strm"]}
    clip = {"model": "small-clip", "weights": "data/small_clip/small-clip.safetensors"}
    video = {"library": "transformers", "model": VIDEO, "weights": f"data/small_video/{VIDEO}.safetensors"}
    values["backbones"] = {"small-clip": clip, VIDEO: video}
    return values


def with_video(values, **own):
    values = copy.deepcopy(values)
    values["backbones"][VIDEO] |= own
    return values


def test_clips_are_cut_as_the_encoder_says(values, tmp_path):
    config = load(values)
    settings = config.of("tiny", VIDEO, "otam")
    assert (settings.sampling.frames, settings.steps) == (8, 4)
    assert config.of("tiny", "small-clip", "otam").steps == 8
    for own, frames, steps, clips in (({"frames": 24}, 24, 12, 3), ({"frames": 4}, 4, 4, 1), ({}, 8, 4, 1)):
        found = load(with_video(values, sampling=own)).of("tiny", VIDEO, "otam")
        assert (found.sampling.frames, found.steps) == (frames, steps)
        by_clip = load(with_video(values, sampling=own, features="clips"))
        assert by_clip.of("tiny", VIDEO, "otam").steps == clips
        assert by_clip.of("tiny", VIDEO, "strm").steps == steps  # which looks at maps
    # An encoder of another length, described by a file.
    described = tmp_path / "config.json"
    described.write_text(json.dumps({"model_type": "videomae", "num_frames": 16, "image_size": 64}))
    longer = load(with_video(values, model=str(described)))
    assert longer.of("tiny", VIDEO, "otam").sampling.frames == 16
    assert "sampling.frames=16" in json.dumps(effective(longer))
    # What a benchmark says of its frames holds for what the backbone leaves open.
    values["benchmarks"]["tiny"]["sampling"] = {"at_test": "centres", "frames": 6}
    assert load(values).sampling_of("tiny", VIDEO).at_test == "centres"
    assert load(values).sampling_of("tiny", VIDEO).frames == 8


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"sampling": {"frames": 12}}, r"clips of 8 frames, and sampling\.frames is 12: .* nearest valid value is 8"),
        ({"sampling": {"frames": 16, "strategy": "windows", "window": 5}}, r"no multiple of sampling\.window, 5"),
        ({"features": "clips", "methods": ["trx"]}, "needs 3 features of a video, .* gives 1: take it out"),
        ({"methods": ["task-adapter"]}, "the backbone has no text encoder"),
        ({"methods": ["otam-lora"]}, "the backbone has no encoder of single pictures"),
        ({"methods": ["molo"]}, "the backbone has no feature of each single frame"),
        ({"methods": ["ts-fsar"]}, "the backbone has no text encoder"),
    ],
)
def test_what_does_not_fit_is_told_before_any_job(values, own, told):
    values["run"]["methods"] = own.get("methods", values["run"]["methods"])
    with pytest.raises(UserError, match=told):
        load(with_video(values, **own))


def test_too_few_stored_frames_are_told(values):
    values["benchmarks"]["tiny"]["frames"]["keep"] = 4
    with pytest.raises(UserError, match=r"frames\.keep .* is 4, but .* looks at 8 frames .* valid value is 8, or 0"):
        load(values)
    values["benchmarks"]["tiny"]["frames"]["keep"] = 32
    windows = {"frames": 16, "strategy": "windows", "window": 8}
    with pytest.raises(UserError, match=r"is windows, which looks at frames that follow one another: set frames\.keep"):
        load(with_video(values, sampling=windows))


def test_methods_that_do_not_fit_are_left_out_and_told(values):
    values["run"]["backbones"] = ["small-clip", VIDEO]
    del values["run"]["methods"]
    values["benchmarks"]["tiny"]["methods"] = ["otam", "clip-fsar", "tamt", "molo", "otam-lora"]
    values["backbones"]["small-clip"]["model"] = "small-vit-clip"
    config = load(values)
    assert config.methods("tiny", "small-clip") == ["otam", "clip-fsar", "molo", "otam-lora"]
    assert config.methods("tiny", VIDEO) == ["otam", "tamt"]
    told = "\n".join(left_out(config))
    assert "small-clip has no blocks that look at several frames, so there are no rows of tamt" in told
    for model, fits in (("small-xclip", False), ("small-vjepa2", True), ("small-vivit", False)):
        other = load(with_video(values, model=model))
        assert ("tamt" in other.methods("tiny", VIDEO)) is fits, model
    assert "clip-fsar" in load(with_video(values, model="small-xclip")).methods("tiny", VIDEO)  # which has texts
    assert "molo" in load(with_video(values, model="small-timesformer")).methods("tiny", VIDEO)  # a step is a frame


def test_words_of_another_text_encoder_let_safsar_in(values, tmp_path):
    del values["run"]["methods"]
    values["benchmarks"]["tiny"]["methods"] = ["otam", "safsar", "clip-fsar"]
    assert load(values).methods("tiny", VIDEO) == ["otam"]
    (tmp_path / "config.json").write_text('{"hidden_size": 96}')
    (tmp_path / "model.safetensors").touch()
    config = load(with_video(values, words=str(tmp_path)))
    assert config.methods("tiny", VIDEO) == ["otam", "safsar"]  # words are no feature to compare videos with
    assert config.of("tiny", VIDEO, "safsar").has_text and not config.of("tiny", VIDEO, "otam").has_text
    of = PlannedModel("tiny", VIDEO, "safsar", "seed1")
    assert {str(tmp_path / name) for name in ("config.json", "model.safetensors")} < set(
        Plan(config).backbone_files(of)
    )
    row = next(row for row in rows(Plan(config)) if row.method == "safsar")
    (facts,) = facts_of(Plan(config), [row], lambda *_: "")
    assert facts["settings"]["backbone.words"] == tmp_path.name  # wherever it lies


def test_rows_tell_what_a_pretraining_saw(values):
    for saw, seen in (({}, ""), ({"a": None}, ""), ({"a": []}, "no"), ({"a": ["tiny"], "b": None}, "yes")):
        assert {row.seen for row in rows(Plan(load(with_video(values, saw=saw))))} == {seen}


def test_windows_are_frames_that_follow_one_another():
    config = SamplingConfig(frames=12, strategy="windows", window=4, step=2)
    found = positions_at_test("v", 60, 25, config, seed=0).reshape(3, 4)
    assert (np.diff(found) == 2).all()
    assert found[:, 0].tolist() == [6, 26, 46]  # the middle of each part of 20 frames
    drawn = {tuple(sample_positions(60, 25, config, np.random.default_rng(i), training=True)) for i in range(200)}
    first = np.array([positions[0] for positions in drawn])
    assert first.min() == 0 and first.max() == 13  # from the first to the last place of a window in the first part
    for length in (1, 2, 5, 11, 13):  # shorter than all windows together: frames come closer, and then repeat
        short = positions_at_test("v", length, 25, config, seed=0)
        assert short.shape == (12,) and short.min() >= 0 and short.max() < length
        assert (np.diff(short.reshape(3, 4)) >= 0).all()


@pytest.mark.parametrize(
    ("own", "told"),
    [
        ({"video_config": 3}, "has 3 for video_config, which holds no names and values"),
        ({"video_config": {"vision_config": "large"}}, "has 'large' for vision_config"),
        ({"video_config": {"vision_config": {"architecture": 4}}}, "has 4 for its encoder of pictures"),
    ],
)
def test_a_damaged_description_of_the_perception_encoder_is_told(tmp_path, own, told):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "pe_video", **own}))
    with pytest.raises(UserError, match=told):
        described(str(tmp_path / "config.json"), "")


def test_a_name_that_is_no_encoder_is_told(values):
    config = load(with_video(values, model="small-videomea"))
    with pytest.raises(UserError, match=re.escape("There is no encoder of video 'small-videomea'")):
        config.backbones[VIDEO].facts()


def overlaid(repository, *files, **own):
    """config.yaml with overlays on it, as Snakemake lays them."""
    values = yaml.safe_load((repository / "config.yaml").read_text())
    for file in files:
        update_config(values, yaml.safe_load((repository / "configs" / file).read_text()))
    update_config(values, own)
    return values


def test_its_config_goes_with_other_domains_unknown_actions_and_stored_features(repository):
    methods = ["otam", "chamferpp", "clip-fsar-head", "clip-fsar-eos", "tamt", "safsar"]
    run = {"benchmarks": ["plain", "crowded", "plain-to-crowded"], "backbones": ["small-videomae", "small-xclip"]}
    own = {"methods": methods, "episodes": {"unknown": 3}}
    worlds = {"plain": own, "crowded": own, "plain-to-crowded": {"methods": methods}}
    values = overlaid(repository, "video.yaml", "cross_domain_demo.yaml", run=run, benchmarks=worlds)
    del values["run"]["methods"]
    config = load(values)
    plan = Plan(config)
    for benchmark in run["benchmarks"]:
        assert config.methods(benchmark, "small-videomae") == ["otam", "chamferpp", "tamt"]
        assert config.methods(benchmark, "small-xclip") == [name for name in methods if name != "tamt"]
    found = {(row.benchmark, row.backbone, row.method) for row in rows(plan)}
    assert len(found) == 3 * (3 + 5)
    assert {(row.benchmark, row.backbone, row.method) for row in rows_with_unknown(plan, rows(plan))} == found
    for backbone, model in (("small-videomae", "chamferpp"), ("small-xclip", "clip-fsar-head")):
        own = config.of("plain", backbone, model)
        assert own.components.encoded_once and own.steps == (4 if backbone == "small-videomae" else 8)


def test_windows_of_r2plus1d_are_the_features_of_chamferpp(repository):
    values = overlaid(repository, "field.yaml", run={"backbones": ["R2plus1D-34"]})
    config = load(values)
    for benchmark in values["run"]["benchmarks"]:
        settings = config.of(benchmark, "R2plus1D-34", "chamferpp")
        assert (settings.sampling.strategy, settings.sampling.frames, settings.steps) == ("windows", 128, 8)
        assert "chamferpp" in config.methods(benchmark, "R2plus1D-34")
    values["benchmarks"]["ssv2_full"]["frames"] = {"keep": 32}
    with pytest.raises(UserError, match=r"frames\.keep of benchmark 'ssv2_full' is 32, .* follow one another"):
        load(values)
