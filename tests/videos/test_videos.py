"""Decoding, the frame store and sampling."""

import re

import av
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import simplejpeg
import torch
from hypothesis import given
from hypothesis import strategies as st

from fsar.config import FramesConfig
from fsar.errors import UserError
from fsar.files import write_parquet
from fsar.sources.manifest import SCHEMA
from fsar.videos import store_write
from fsar.videos.decode import decode
from fsar.videos.frame import Frame, VideoError, VideoFacts
from fsar.videos.resize import interpolate
from fsar.videos.shards import INDEX_SCHEMA, SHARD_SCHEMA, shard_name, shard_of
from fsar.videos.store_index import gather_index
from fsar.videos.store_read import FrameStore, nearest
from fsar.videos.store_write import stored_positions, write_shard
from tests.helpers.videos import ffmpeg_frames, make_broken_videos, make_video, turn


def frames_of(path, size=48, decoder="pyav"):
    """Every frame as a row of bytes: the planes Y, U and V."""
    parts = decode(path, size, 600, decoder)
    return np.stack([np.concatenate([p.ravel() for p in part.planes]) for part in parts if isinstance(part, Frame)])


def assert_same_frames(ours, theirs, mean=1.0):
    """Hold our frames against the ffmpeg program's: same number, same order, same content but for rounding."""
    assert ours.shape == theirs.shape
    difference = np.abs(ours.astype(int) - theirs.astype(int))
    assert difference.mean() < mean and difference.max() <= 24


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("h264.mp4", ("-c:v", "libx264")),
        ("mpeg4 with B-frames.avi", ("-c:v", "mpeg4", "-bf", "2")),
        ("vp9.webm", ("-c:v", "libvpx-vp9", "-deadline", "realtime")),
        ('it\'s (50%) & "größe"; $HOME!.mp4', ("-c:v", "libx264")),
    ],
)
def test_every_frame_once_in_order(tmp_path, name, options):
    path = make_video(tmp_path / name, 25, options=options)
    ours = frames_of(path)
    assert len(ours) == 25
    assert_same_frames(ours, ffmpeg_frames(path, 48))


def test_facts_and_odd_sizes(tmp_path):
    path = make_video(tmp_path / "odd.mp4", 5, fps=15, size="61x47", pixels="yuv444p")
    for size, half in ((32, 16), (31, 16)):
        first = next(decode(path, size, timeout=600))
        assert first.facts == VideoFacts(15.0, 61, 47) and first.position == 0
        assert [plane.shape for plane in first.planes] == [(size, size), (half, half), (half, half)]
        assert_same_frames(frames_of(path, size), ffmpeg_frames(path, size))
        aliased = next(decode(path, size, timeout=600, antialias=False)).planes
        assert [plane.shape for plane in aliased] == [plane.shape for plane in first.planes]
        assert max(np.abs(a.astype(int) - p).mean() for a, p in zip(aliased, first.planes, strict=True)) < 2


@pytest.mark.parametrize("matrix", ["bt601", "bt709", "bt2020nc", "full"])
def test_colours_are_those_of_jpeg_whatever_the_video_has(tmp_path, matrix):
    options = ("-vf", f"scale=out_color_matrix={matrix}", "-colorspace", matrix.replace("bt601", "smpte170m"))
    if matrix == "full":
        options = ("-vf", "scale=out_range=full", "-color_range", "pc")
    name = make_video(tmp_path / "colours.mp4", 3, options=options).name
    stored = build_store(tmp_path, [name], FramesConfig(size=48, shards=1, quality=98)).frames(0, np.arange(3))
    expected = ffmpeg_frames(tmp_path / name, 48, "rgb24").reshape(-1, 48, 48, 3)
    difference = stored.astype(int) - expected
    assert np.abs(difference).mean() < 2.5 and np.abs(difference.mean(axis=(0, 1, 2))).max() < 2.5


def test_variable_frame_rate(tmp_path):
    """Frames at uneven times are all there, once."""
    uneven = ("-vf", "setpts='(N+floor(N/3)*4)/(10*TB)'", "-fps_mode", "vfr", "-c:v", "libx264")
    path = make_video(tmp_path / "uneven.mp4", 24, options=uneven)
    ours = frames_of(path)
    assert len(ours) == 24
    assert_same_frames(ours, ffmpeg_frames(path, 48))


@pytest.mark.parametrize("shape", [(240, 320), (72, 96), (90, 61), (31, 200)])
def test_without_antialiasing_pixels_are_those_of_the_public_code(shape):
    plane = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    pixels = torch.from_numpy(plane).double().unsqueeze(0).unsqueeze(0)
    expected = torch.nn.functional.interpolate(pixels, size=(72, 72), mode="bilinear", align_corners=False)
    difference = interpolate(plane, 72) - expected[0, 0].numpy()
    assert np.abs(difference).max() < 0.501  # rounding to bytes


def test_a_store_without_antialiasing(tmp_path):
    """Stored like any other; sharper than with it where frames become smaller."""
    noise = ("-vf", "noise=c0s=30:c0_seed=1", "-c:v", "libx264", "-crf", "10")
    stored = {}
    for antialias in (True, False):
        folder = tmp_path / str(antialias)
        folder.mkdir()
        video = make_video(folder / "noise.mp4", 3, size="320x240", options=noise)
        config = FramesConfig(size=48, shards=1, quality=98, antialias=antialias)
        stored[antialias] = build_store(folder, [video.name], config).frames(0, np.arange(3))
    with av.open(str(video)) as container:
        frames = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
    pixels = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    expected = torch.nn.functional.interpolate(pixels, size=(48, 48), mode="bilinear").permute(0, 2, 3, 1).numpy()
    assert np.abs(stored[False].mean(axis=3) - expected.mean(axis=3)).mean() < 2.5
    assert stored[False].std(axis=(1, 2)).mean() > 1.3 * stored[True].std(axis=(1, 2)).mean()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotation_in_the_metadata(tmp_path, degrees):
    plain = make_video(tmp_path / "plain.mp4", 6, size="80x48")
    turned = turn(plain, degrees)
    facts = next(decode(turned, 48, timeout=600)).facts
    assert (facts.width, facts.height) == ((80, 48) if degrees == 180 else (48, 80))
    assert_same_frames(frames_of(turned), ffmpeg_frames(turned, 48), mean=2.0)  # it turns before it scales


def test_one_frame(tmp_path):
    assert len(frames_of(make_video(tmp_path / "one.mp4", 1))) == 1


def test_broken_videos_tell_why(tmp_path):
    for name, reason in make_broken_videos(tmp_path / "broken").items():
        with pytest.raises(VideoError) as error:
            frames_of(tmp_path / "broken" / name)
        assert reason in str(error.value) and str(error.value), name


def test_a_slow_video_is_given_up(tmp_path):
    path = make_video(tmp_path / "slow.mp4")
    with pytest.raises(VideoError, match="took longer than 0 s"):
        list(decode(path, 32, timeout=0))


def test_real_clips_frame_by_frame(real_clips):
    paths = sorted(p for p in real_clips.glob("*/*") if p.suffix in (".avi", ".mp4"))
    paths += sorted((real_clips / "ssv2_sample" / "videos").glob("*.webm"))[:5]
    assert len(paths) >= 15
    for path in paths:
        assert_same_frames(frames_of(path, 64), ffmpeg_frames(path, 64))


def manifest_of(folder, names):
    manifest = pd.DataFrame(
        {
            "video_id": names,
            "path": [str(folder / name) for name in names],
            "class_name": "a",
            "split": "train",
            "source": "test",
        }
    )
    write_parquet(folder / "manifest.parquet", manifest.assign(bytes=1, group=""), SCHEMA)
    return folder / "manifest.parquet"


def build_store(folder, names, config, max_failed=1.0):
    manifest = manifest_of(folder, names)
    indexes = []
    for shard in range(config.shards):
        index = folder / f"shard-{shard:03d}.parquet"
        write_shard(pd.read_parquet(manifest), shard, config, folder / shard_name(shard), index)
        indexes.append(index)
    gather_index(manifest, indexes, max_failed, folder / "index.parquet")
    return FrameStore(folder, folder / "index.parquet")


def test_store_gives_back_the_frames(tmp_path):
    names = [make_video(tmp_path / f"{n} frames.mp4", n).name for n in (1, 7, 30)]
    store = build_store(tmp_path, names, FramesConfig(size=48, shards=2, quality=95))
    for name, number in zip(names, store.numbers(names), strict=True):
        original = ffmpeg_frames(tmp_path / name, 48, "rgb24").reshape(-1, 48, 48, 3)
        assert store.length(number) == len(original) and store.video_id(number) == name
        stored = store.frames(number, np.arange(len(original)))
        assert np.abs(stored.astype(int) - original.astype(int)).mean() < 4
        *_, last = decode(tmp_path / name, 48, timeout=600)
        expected = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg_yuv_planes(*last.planes, quality=95))
        np.testing.assert_array_equal(stored[-1], expected)


@pytest.mark.parametrize("size", [61, 72, 224])
def test_any_size_can_be_stored(tmp_path, size):
    name = make_video(tmp_path / "a.mp4", 3).name
    stored = build_store(tmp_path, [name], FramesConfig(size=size, shards=1)).frames(0, np.arange(3))
    expected = ffmpeg_frames(tmp_path / name, size, "rgb24").reshape(-1, size, size, 3)
    assert np.abs(stored.astype(int) - expected).mean() < 4


def test_broken_videos_are_rows_and_never_replaced(tmp_path):
    broken = make_broken_videos(tmp_path)
    good = make_video(tmp_path / "good.mp4").name
    store = build_store(tmp_path, [*broken, good], FramesConfig(size=32, shards=3))
    index = pd.read_parquet(tmp_path / "index.parquet").set_index("video_id")
    assert list(index.index) == [*broken, good]
    assert set(index.loc[list(broken), "status"]) == {"failed"} and index.loc[good, "status"] == "ok"
    assert all(index.loc[name, "error"] for name in broken)
    assert store.numbers([good]) == [len(broken)]
    for name in (*broken, "unknown"):
        with pytest.raises(KeyError, match=re.escape(name)):
            store.numbers([good, name])


def test_too_many_broken_videos_stop_the_run_with_their_list(tmp_path):
    broken = make_broken_videos(tmp_path)
    with pytest.raises(UserError, match=r"(?s)8 of 8 videos.*max_failed = 0\.5.*missing\.mp4: there is no such file"):
        build_store(tmp_path, list(broken), FramesConfig(size=32, shards=1), max_failed=0.5)
    assert (tmp_path / shard_name(0)).exists()  # what was computed stays


def test_keeping_some_frames(tmp_path):
    name = make_video(tmp_path / "long.mp4", 40).name
    store = build_store(tmp_path, [name], FramesConfig(size=32, shards=1, keep=8))
    index = pd.read_parquet(tmp_path / "index.parquet")
    assert (index["stored_frames"][0], index["source_frames"][0]) == (8, 40)
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / name).write_bytes((tmp_path / name).read_bytes())
    everything = build_store(tmp_path / "all", [name], FramesConfig(size=32, shards=1)).frames(0, np.array([2]))
    np.testing.assert_array_equal(store.frames(0, np.array([0, 3]))[:1], everything)


@given(frames=st.integers(1, 500), keep=st.integers(1, 64))
def test_stored_positions_are_increasing_and_inside(frames, keep):
    positions = stored_positions(frames, keep)
    assert len(positions) == min(frames, keep)
    assert (np.diff(positions) > 0).all() and positions[0] >= 0 and positions[-1] < frames


def test_nearest_stored_frame():
    assert nearest(np.array([2, 6, 9], np.int32), np.array([0, 3, 4, 5, 8, 20])) == [0, 0, 0, 1, 2, 2]


def test_stored_frames_are_the_middles_of_equal_parts_or_all():
    assert list(stored_positions(10, 5)) == [1, 3, 5, 7, 9]
    assert (
        list(stored_positions(5, 5)) == list(stored_positions(5, 0)) == list(stored_positions(5, 9)) == list(range(5))
    )


def test_shards_follow_the_id_alone_and_are_about_as_large():
    """Pinned: other numbers would decode every video again."""
    assert [shard_of(name, 7) for name in ("a.mp4", "b.mp4", "größe.mp4")] == [6, 5, 6]
    sizes = np.bincount([shard_of(f"video {number:04d}", 8) for number in range(4000)], minlength=8)
    assert sizes.min() > 400 and sizes.max() < 600


def test_reading_a_window_of_some_frames(tmp_path):
    name = make_video(tmp_path / "a.mp4", 9).name
    store = build_store(tmp_path, [name], FramesConfig(size=32, shards=1))
    clip, positions = np.zeros((3, 20, 24, 3), np.uint8), np.array([0, 4, 8])
    store.read(0, positions, 5, 7, clip)
    np.testing.assert_array_equal(clip, store.frames(0, positions)[:, 5:25, 7:31])
    assert store.size == 32


@pytest.mark.parametrize("keep", [0, 4])
def test_frames_wait_in_a_file_where_memory_would_not_hold_them(tmp_path, monkeypatch, keep):
    """Which frames are kept is known at the end: until then no more than a bounded part of a video is in memory."""
    videos = pd.DataFrame({"video_id": ["a"], "path": [str(make_video(tmp_path / "a.mp4", 30))]})
    config = FramesConfig(size=64, keep=keep, shards=1)
    for name, room in (("memory", 2**30), ("file", 1000)):
        monkeypatch.setattr(store_write, "IN_MEMORY", room)
        write_shard(videos, 0, config, tmp_path / name, tmp_path / f"{name}.parquet")
    assert (tmp_path / "memory").read_bytes() == (tmp_path / "file").read_bytes()
    jpegs = store_write._Jpegs(tmp_path)
    for number in range(30):
        jpegs.append(bytes([number]) * 100)
    assert jpegs._file._rolled and len(jpegs) == 30
    assert jpegs.at(np.array([29, 0, 7])) == [bytes([number]) * 100 for number in (29, 0, 7)]
    jpegs.close()


@pytest.mark.slow
def test_a_video_of_more_than_2_gib_of_jpegs_is_stored(tmp_path):
    """Which 32 bits do not count: those of one frame, again and again."""
    picture = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    jpeg = simplejpeg.encode_jpeg(picture, quality=100)
    count = 2**31 // len(jpeg) + 2
    batch = store_write._batch("a", np.arange(count, dtype=np.int32), np.arange(count, dtype=float), [jpeg] * count)
    assert batch.nbytes > 2**31
    with pa.OSFile(str(tmp_path / shard_name(0)), "wb") as sink, pa.ipc.new_file(sink, SHARD_SCHEMA) as writer:
        writer.write_batch(batch)
    row = dict.fromkeys(INDEX_SCHEMA.names, 0) | {"video_id": "a", "status": "ok", "source_frames": count}
    row |= {"variable_rate": False, "decoder": "", "error": "", "notes": ""}
    write_parquet(tmp_path / "index.parquet", pd.DataFrame([row]), INDEX_SCHEMA)
    store = FrameStore(tmp_path, tmp_path / "index.parquet")
    assert [bytes(found) for found in store.jpegs(0, np.array([0, count - 1]))] == [jpeg, jpeg]
