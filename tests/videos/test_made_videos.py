"""Small videos made at random: whatever the container, the codec and the times, each frame once, as it is shown."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fsar.videos.rates import varies
from tests.helpers.videos import encode, ffmpeg_frames, telling_picture, with_matrix
from tests.videos.test_decoders import decoded

ONE = 65536
# Codecs of PyAV's wheel by container, with the formats of pixels that are tried, and options of the encoder.
CONTAINERS = {
    "mp4": ("libx264", "mpeg4", "mjpeg"),
    "mov": ("libx264", "mjpeg", "prores_ks"),
    "mkv": ("libx264", "ffv1", "libvpx-vp9", "mpeg2video"),
    "webm": ("libvpx", "libvpx-vp9"),
    "avi": ("mpeg4", "mjpeg"),
    "ts": ("libx264", "mpeg2video"),
}
PIXELS = {"libx264": ("yuv420p", "yuv444p", "yuv422p10le"), "prores_ks": ("yuv422p10le",), "mjpeg": ("yuvj420p",)}
OPTIONS = {
    "libx264": {"crf": "10"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "crf": "10"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "20"},
}


@dataclass(frozen=True)
class Made:
    """How a video is made: its file's ending, the encoder's settings, when each picture is shown, in milliseconds."""

    ending: str
    codec: str
    pixels: str
    stamps: tuple[int, ...]
    size: tuple[int, int]
    orientation: tuple[int, int, int, int]
    matrix: int
    full: bool
    interlaced: bool


@st.composite
def made_videos(draw):
    ending = draw(st.sampled_from(sorted(CONTAINERS)))
    codec = draw(st.sampled_from(CONTAINERS[ending]))
    frames = draw(st.integers(8 if ending == "ts" else 1, 14))  # FFmpeg knows no stream by a few packets
    # MPEG-2 and its streams know few rates, and AVI's pictures lie at whole frames.
    if codec == "mpeg2video" or ending == "avi" or draw(st.booleans()):
        steps = [40] * (frames - 1)
    else:
        steps = draw(st.lists(st.integers(10, 300), min_size=frames - 1, max_size=frames - 1))
    start = draw(st.sampled_from([0, 0, 2000])) if ending in ("mp4", "mov", "mkv", "ts") else 0
    pixels = draw(st.sampled_from(PIXELS.get(codec, ("yuv420p",))))
    interlaced = codec in ("libx264", "mpeg2video") and draw(st.booleans())
    grain = 4 if interlaced else 1 if pixels == "yuv444p" else 2  # fields with half of the colours' lines each
    sides = st.integers(16 // grain + 1, 90 // grain).map(lambda side: grain * side)
    turned = st.sampled_from([(ONE, 0, 0, ONE), (-ONE, 0, 0, ONE), (0, ONE, -ONE, 0), (0, -ONE, -ONE, 0)])
    return Made(
        ending,
        codec,
        pixels,
        tuple(int(stamp) for stamp in np.cumsum([start, *steps])),
        (draw(sides), draw(sides)),
        draw(turned) if ending in ("mp4", "mov") else (ONE, 0, 0, ONE),
        draw(st.sampled_from([2, 1, 5, 6, 9, 10, 14])),
        pixels == "yuvj420p" or (codec in ("libx264", "ffv1") and draw(st.booleans())),
        interlaced,
    )


def make(folder, made):
    """Encode a video; of each container the muxer sets the clock."""
    options = dict(OPTIONS.get(made.codec, {"qscale": "2"}))
    if made.interlaced:
        options["flags"] = "+ilme+ildct"
    pictures = [telling_picture(*made.size, number) for number in range(len(made.stamps))]
    about = {"codec": made.codec, "pixels": made.pixels, "matrix": made.matrix, "full": made.full, "options": options}
    if made.ending == "avi" or made.codec == "mpeg2video":
        stamps = [stamp // 40 for stamp in made.stamps]
        path = encode(folder / f"a.{made.ending}", pictures, stamps, unit=Fraction(1, 25), **about)
    else:
        path = encode(folder / f"a.{made.ending}", pictures, made.stamps, **about)
    return with_matrix(path, made.orientation, f"b.{made.ending}") if made.ending in ("mp4", "mov") else path


def packet_times(path, made):
    """Return when packets are shown, in seconds from the beginning or, in MP4, MOV and MKV, from the clock's zero."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        own_zero = made.ending in ("mp4", "mov", "mkv", "webm")
        start = 0 if own_zero else container.start_time / av.time_base
        packets = [packet for packet in container.demux(stream) if packet.size]
        stamps = sorted(packet.dts if made.ending == "avi" else packet.pts for packet in packets)
        return np.array([float(stamp * stream.time_base) - start for stamp in stamps])


@given(made=made_videos())
@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_video(tmp_path_factory, made):
    """Each picture is there once, in order, at its time; frames are those of the ffmpeg program by itself."""
    folder = tmp_path_factory.mktemp("made")
    path = make(folder, made)
    ours, flaws = decoded(path, size=48)
    assert len(ours) == len(made.stamps) and [frame.position for frame in ours] == list(range(len(ours)))
    assert flaws.lost == 0 and all("colour matrix" in sentence for sentence in flaws.notes)
    shown = np.array([frame.time for frame in ours])
    expected = (np.array(made.stamps) - made.stamps[0]) / 1000
    late = shown[0]
    np.testing.assert_allclose(shown, packet_times(path, made), atol=1e-6)
    np.testing.assert_allclose(shown - late, expected, atol=0.0012)
    assert varies(shown, ours[0].facts.tick) == varies(expected, 0.001)
    others, other_flaws = decoded(path, "ffmpeg", size=48)
    assert [frame.time for frame in others] == list(shown) and other_flaws == flaws
    assert [frame.facts for frame in others] == [frame.facts for frame in ours]
    for one, other in zip(ours, others, strict=True):
        for our_plane, other_plane in zip(one.planes, other.planes, strict=True):
            # The program turns before it scales, and halved colours by way of whole ones.
            assert np.abs(our_plane.astype(int) - other_plane).mean() < (1.5 if made.orientation[0] == ONE else 3)
    if not flaws.notes:  # the program alone fails at colours that it does not know
        alone = ffmpeg_frames(path, 48)
        np.testing.assert_array_equal(alone[:, : 48 * 48], [frame.planes[0].ravel() for frame in others])
