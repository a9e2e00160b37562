"""Videos as players show them: the right way up, whole where they are interlaced, in whatever colours."""

import itertools
import subprocess

import av
import numpy as np
import pytest

from fsar.videos.colours import BT709, BT2020, SMPTE170M, nearest_matrix
from fsar.videos.decode import decode
from fsar.videos.frame import Flaws, VideoError
from fsar.videos.orientation import UPRIGHT, from_matrix
from fsar.videos.scale import Scaler
from tests.helpers.videos import FFMPEG, encode, telling_picture, turn, with_matrix
from tests.videos.test_decoders import OTHERS, decoded, needs_decord

ONE = 65536
# The display matrices (a, b, c, d) of four turns, and of each mirrored before it.
EIGHT = [(x, 0, 0, y) for x in (ONE, -ONE) for y in (ONE, -ONE)] + [
    (0, x, y, 0) for x in (ONE, -ONE) for y in (ONE, -ONE)
]
SHARP = {"crf": "4"}


def pixels(frames):
    """Return (T, 3 planes of 48 × 48, in one row)."""
    return np.stack([np.concatenate([plane.ravel() for plane in frame.planes]) for frame in frames]).astype(int)


def by_both(path, mean=1.0):
    """Decode by PyAV and by the ffmpeg program, which must agree; returns the pixels and the flaws."""
    (ours, flaws), (others, others_flaws) = decoded(path, size=48), decoded(path, "ffmpeg", size=48)
    assert len(ours) == len(others) and np.abs(pixels(ours) - pixels(others)).mean() < mean
    assert [frame.facts for frame in ours] == [frame.facts for frame in others]
    assert [frame.time for frame in ours] == [frame.time for frame in others]
    assert flaws.notes == others_flaws.notes and flaws.lost == others_flaws.lost
    return pixels(ours), flaws


@pytest.fixture(scope="module", params=["mp4", "mov"])
def telling(request, tmp_path_factory):
    """A video, not square, whose pictures differ in each corner."""
    path = tmp_path_factory.mktemp("telling") / f"a.{request.param}"
    return encode(path, [telling_picture(number=n) for n in range(4)], range(0, 160, 40), options=SHARP)


def test_every_orientation(telling):
    """As the ffmpeg program turns by itself; all eight are different, and each is its matrix applied to each pixel."""
    picture = telling_picture()
    seen = []
    for matrix in EIGHT:
        ours, flaws = by_both(with_matrix(telling, matrix))
        a, b, c, d = (entry // ONE for entry in matrix)
        shown = picture[:: b + d, :: a + c] if a else np.swapaxes(picture, 0, 1)[:: b + d, :: a + c]
        facts = decoded(with_matrix(telling, matrix))[0][0].facts
        assert (facts.width, facts.height) == shown.shape[1::-1] and flaws == Flaws()
        expected = Scaler(48).planes(av.VideoFrame.from_ndarray(np.ascontiguousarray(shown), format="rgb24"))
        assert np.abs(ours[0][: 48 * 48] - expected[0].ravel()).mean() < 2
        seen.append(ours)
    for one, other in itertools.combinations(seen, 2):
        assert np.abs(one - other).mean() > 10


@needs_decord
def test_decord_turns_rightly_or_says_that_it_cannot(telling):
    given = 0
    for matrix in EIGHT:
        turned = with_matrix(telling, matrix)
        try:
            frames, _ = decoded(turned, "decord", size=48)
        except VideoError as error:
            assert "decord" in str(error)
            continue
        given += 1
        assert np.abs(pixels(frames) - pixels(decoded(turned, size=48)[0])).mean() < 2
    assert given == 2  # as it is, and half a turn


@needs_decord
def test_decord_turns_squares(tmp_path):
    square = encode(
        tmp_path / "a.mp4", [telling_picture(64, 64, n) for n in range(3)], range(0, 120, 40), options=SHARP
    )
    for matrix in EIGHT:
        turned = with_matrix(square, matrix)
        if np.linalg.det(np.reshape(matrix, (2, 2))) < 0:
            with pytest.raises(VideoError, match="mirror"):
                decoded(turned, "decord")
        else:
            frames, _ = decoded(turned, "decord", size=48)
            assert np.abs(pixels(frames) - pixels(decoded(turned, size=48)[0])).mean() < 2
    half = turn(square.rename(tmp_path / "b.mp4"), 180).rename(tmp_path / "c.mp4")
    matroska = tmp_path / "d.mkv"
    subprocess.run([FFMPEG, "-v", "error", "-i", half, "-c", "copy", matroska], check=True)
    assert by_both(matroska)[0][0][0] > by_both(half.parent / "b.mp4")[0][0][0]  # it is turned
    with pytest.raises(VideoError, match="decord cannot turn"):
        decoded(matroska, "decord")


@pytest.mark.parametrize("degrees", [10, 44, 46, 100, 179, 260, 350])
@pytest.mark.parametrize("mirror", [1, -1])
def test_oblique_matrices_become_the_nearest_right_angle(telling, degrees, mirror):
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = [int(ONE * entry) for entry in (mirror * cosine, mirror * sine, -sine, cosine)]
    near = np.radians(90 * round(degrees / 90))
    right = [
        round(entry) * ONE for entry in (mirror * np.cos(near), mirror * np.sin(near), -np.sin(near), np.cos(near))
    ]
    ours, flaws = by_both(with_matrix(telling, matrix))
    np.testing.assert_array_equal(ours, by_both(with_matrix(telling, right))[0])
    assert len(flaws.notes) == 1 and f"turns it by {(degrees + 180) % 360 - 180} degrees" in flaws.notes[0]


@pytest.mark.parametrize(
    "matrix", [(0, 0, 0, 0), (ONE,) * 4, (ONE, 0, 0, 0), (2**31 - 1, -(2**31), 5, 7), (1, 0, 0, ONE)]
)
def test_a_damaged_matrix_is_not_followed(telling, matrix):
    ours, flaws = by_both(with_matrix(telling, matrix))
    np.testing.assert_array_equal(ours, by_both(telling)[0])
    assert flaws == Flaws(notes=("its display matrix is damaged, and is not followed",))
    assert from_matrix(b"too short")[0] == UPRIGHT


@pytest.mark.parametrize("asked", ["rotate=90", "rotate=180:flip=horizontal", "rotate=0:flip=vertical", "rotate=270"])
def test_orientation_in_the_stream_itself(telling, tmp_path, asked):
    """As H.264 tells it, in a container that tells nothing."""
    path = tmp_path / "a.ts"
    orient = f"h264_metadata=display_orientation=insert:{asked}"
    subprocess.run([FFMPEG, "-v", "error", "-i", telling, "-c", "copy", "-bsf:v", orient, path], check=True)
    assert np.abs(by_both(path)[0] - by_both(telling)[0]).mean() > 10


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_orientation_in_matroska(telling, tmp_path, degrees):
    path = tmp_path / "a.mkv"
    source = ["-display_rotation:v:0", str(degrees), "-i", telling]
    subprocess.run([FFMPEG, "-v", "error", *source, "-c", "copy", path], check=True)
    np.testing.assert_array_equal(by_both(path)[0], by_both(turn(telling, degrees))[0])


INTERLACED = {
    "h264.mp4": ("-c:v", "libx264", "-flags", "+ilme+ildct", "-x264-params", "tff=1:crf=10"),
    "mbaff.ts": ("-c:v", "libx264", "-flags", "+ilme+ildct", "-x264-params", "bff=1:mbaff=1:crf=10"),
    "h264 422.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv422p10le", "-flags", "+ilme+ildct", "-crf", "10"),
    "mpeg2.mpg": ("-c:v", "mpeg2video", "-flags", "+ilme+ildct", "-q:v", "2"),
    "mpeg2 422.mkv": ("-c:v", "mpeg2video", "-pix_fmt", "yuv422p", "-flags", "+ilme+ildct", "-q:v", "2"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-flags", "+ilme+ildct", "-q:v", "2"),
    "prores.mov": ("-c:v", "prores_ks", "-flags", "+ildct"),
    "dnxhd.mov": ("-c:v", "dnxhd", "-s", "1920x1080", "-b:v", "120M", "-pix_fmt", "yuv422p", "-flags", "+ildct"),
    "ffv1.mkv": ("-c:v", "ffv1", "-pix_fmt", "yuv420p", "-color_range", "pc"),
}


@pytest.mark.parametrize("name", INTERLACED)
@pytest.mark.parametrize("antialias", [True, False])
def test_interlaced_pictures_are_resized_as_whole_ones(tmp_path, name, antialias):
    """Nothing changes when the mark is taken away before; brightness is the ffmpeg program's to the last bit."""
    moving = "gradients=size=192x144:rate=25:speed=0.3:c0=red:c1=yellow:nb_colors=2"
    field = "setfield=bff" if "mbaff" in name else "setfield=tff"
    arguments = ["-f", "lavfi", "-i", moving, "-frames:v", "6", "-vf", f"interlace,{field}", "-field_order", "tt"]
    path = tmp_path / name
    subprocess.run([FFMPEG, "-v", "error", *arguments, "-pix_fmt", "yuv420p", *INTERLACED[name], path], check=True)
    frames = [part for part in decode(path, 48, 600, antialias=antialias) if not isinstance(part, Flaws)]
    graph, scaler, marked = av.filter.Graph(), Scaler(48, antialias), 0
    with av.open(str(path)) as container:
        source = graph.add_buffer(template=container.streams.video[0])
        graph.link_nodes(source, graph.add("setfield", "prog"), graph.add("buffersink")).configure()
        for frame, picture in zip(frames, container.decode(video=0), strict=True):
            marked += picture.interlaced_frame
            graph.vpush(picture)
            for ours, plain in zip(frame.planes, scaler.planes(graph.vpull()), strict=True):
                np.testing.assert_array_equal(ours, plain)
    assert marked == len(frames) > 0
    if antialias:
        ours, _ = by_both(path)
        others = pixels(decoded(path, "ffmpeg", size=48)[0])
        np.testing.assert_allclose(ours[:, : 48 * 48], others[:, : 48 * 48], atol=1)


KNOWN = (0, 1, 2, 4, 5, 6, 7, 9)
ODD = (8, 10, 11, 12, 13, 14, 15, 16, 17)
RESERVED = (3, 18, 99, 200)  # which the decoder of H.264 takes for unknown


def with_colours(path, primaries, transfer, matrix, source):
    """Return a copy of an H.264 video that declares these colours in its stream, by their numbers."""
    declared = f"h264_metadata=colour_primaries={primaries}:transfer_characteristics={transfer}"
    declared += f":matrix_coefficients={matrix}"
    subprocess.run([FFMPEG, "-v", "error", "-i", source, "-c", "copy", "-bsf:v", declared, path], check=True)
    return path


@pytest.mark.parametrize("matrix", ODD)
def test_no_colours_lose_a_video(telling, tmp_path, matrix):
    """The nearest known matrix is taken, by each decoder, and a note says so."""
    odd = with_colours(tmp_path / "odd.mkv", 9, 3, matrix, telling)
    ours, flaws = by_both(odd)
    nearest = with_colours(tmp_path / "nearest.mkv", 9, 1, BT2020, telling)
    np.testing.assert_array_equal(ours, by_both(nearest)[0])
    assert len(flaws.notes) == 1 and "BT.2020 is taken for it" in flaws.notes[0] and flaws.lost == 0


@pytest.mark.parametrize(("matrix", "transfer"), [(10, 1), (14, 16), (9, 9), (1, 10)])
def test_odd_colours_that_are_to_be_turned(tmp_path, matrix, transfer):
    """The ffmpeg program turns pictures with halved colours only by way of another format."""
    pictures = [telling_picture(number=n) for n in range(3)]
    plain = encode(tmp_path / "plain.mp4", pictures, range(0, 120, 40), pixels="yuv422p10le", options=SHARP)
    odd = with_colours(tmp_path / "odd.mp4", 9, transfer, matrix, plain)
    for turned in EIGHT:
        assert by_both(with_matrix(odd, turned), mean=1.5)[1].lost == 0


@pytest.mark.parametrize("matrix", KNOWN + RESERVED)
def test_known_colours_are_as_the_program_has_them(telling, tmp_path, matrix):
    for primaries, transfer in ((1, 1), (22, 9), (200, 10), (3, 14), (12, 200)):
        assert by_both(with_colours(tmp_path / "a.mkv", primaries, transfer, matrix, telling))[1] == Flaws()
        (tmp_path / "a.mkv").unlink()


@needs_decord
@pytest.mark.parametrize("matrix", [8, 10, 14])
def test_decord_keeps_odd_colours_too(telling, tmp_path, matrix):
    odd = with_colours(tmp_path / "odd.mp4", 9, 3, matrix, telling)
    frames, flaws = decoded(odd, "decord")
    assert len(frames) == 4 and flaws.notes == decoded(odd)[1].notes


def test_high_contrast_is_stored_as_it_is_and_told(telling, tmp_path):
    plain = by_both(with_colours(tmp_path / "sdr.mkv", 9, 1, 9, telling))[0]
    for transfer, name in ((16, "PQ"), (18, "HLG")):
        ours, flaws = by_both(with_colours(tmp_path / f"{name}.mkv", 9, transfer, 9, telling))
        np.testing.assert_array_equal(ours, plain)
        assert len(flaws.notes) == 1 and name in flaws.notes[0]


FORMATS = {
    "gbrp10le": ("ffv1", "mkv"),
    "rgb24": ("png", "mov"),
    "gray": ("ffv1", "mkv"),
    "gray10le": ("ffv1", "mkv"),
    "yuvj420p": ("mjpeg", "avi"),
    "yuv444p": ("ffv1", "mkv"),
    "yuv420p10le": ("ffv1", "mkv"),
    "nv12": ("rawvideo", "nut"),
}


@pytest.mark.parametrize("matrix", [2, 10])
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_formats_that_need_no_matrix_and_others(tmp_path, pixel_format, matrix):
    pictures = [telling_picture(number=n) for n in range(3)]
    codec, container = FORMATS[pixel_format]
    full = pixel_format in ("yuvj420p", "gbrp10le", "rgb24")
    options = {"codec": codec, "pixels": pixel_format, "matrix": matrix, "full": full}
    ours, flaws = by_both(encode(tmp_path / f"a.{container}", pictures, range(0, 120, 40), **options))
    expected = Scaler(48).planes(av.VideoFrame.from_ndarray(pictures[0], format="rgb24"))
    assert np.abs(ours[0][: 48 * 48] - expected[0].ravel()).mean() < (8 if flaws.notes else 2)
    assert not flaws.notes or pixel_format.startswith("yuv")


@pytest.mark.parametrize("full", [False, True])
def test_ranges_stay_right(tmp_path, full):
    pictures = [np.full((32, 32, 3), level, np.uint8) for level in (0, 128, 255)]
    path = encode(tmp_path / "a.mp4", pictures, range(0, 120, 40), options=SHARP, full=full)
    ours, _ = by_both(path)
    np.testing.assert_allclose(ours[:, : 48 * 48].mean(axis=1), [0, 128, 255], atol=2)


def test_which_matrix_is_nearest():
    assert [nearest_matrix(matrix, 2, 1920, 1080) for matrix in (1, 6, 9, 0)] == [1, 6, 9, 0]
    assert {nearest_matrix(matrix, 1, 64, 48) for matrix in (10, 14, 15)} == {BT2020}
    assert [nearest_matrix(12, primaries, 64, 48) for primaries in (1, 9, 5, 6, 12)] == [1, 9, 6, 6, 1]
    assert nearest_matrix(8, 2, 1920, 1080) == BT709 and nearest_matrix(8, 2, 720, 576) == SMPTE170M


@pytest.mark.parametrize("second", ["size=96x64", "size=64x48,format=yuv444p", "size=64x48,format=yuv420p10le"])
@pytest.mark.parametrize("decoder", ["pyav", "ffmpeg"])
def test_pictures_that_change_in_the_middle(tmp_path, second, decoder):
    parts = []
    for number, source in enumerate(("size=64x48,format=yuv420p", second)):
        part = tmp_path / f"{number}.h264"
        size, _, pixel_format = source.partition(",")
        made = ["-f", "lavfi", "-i", f"testsrc2={size}:rate=10", "-frames:v", "5", "-vf", pixel_format or "null"]
        subprocess.run([FFMPEG, "-v", "error", *made, "-c:v", "libx264", "-bf", "0", part], check=True)
        parts.append(part.read_bytes())
    joined = tmp_path / "a.h264"
    joined.write_bytes(b"".join(parts))
    frames, flaws = decoded(joined, decoder)
    assert len(frames) == 10 and flaws.lost == 0
    assert {(frame.facts.width, frame.facts.height) for frame in frames} == {(64, 48)}


@pytest.mark.parametrize("decoder", ["pyav", *OTHERS])
def test_the_cases(cases, decoder):
    plain = pixels(decoded(cases / "plain.mp4", decoder, size=48)[0])
    if decoder != "decord":
        frames, flaws = decoded(cases / "mirrored.mp4", decoder, size=48)
        assert flaws == Flaws()
        for frame, row in zip(frames, plain, strict=True):  # whose picture is not symmetric
            assert np.abs(frame.planes[0][:, ::-1].ravel() - row[: 48 * 48]).mean() < 1
    _, flaws = decoded(cases / "bt2020c.mp4", decoder)
    assert "BT.2020 with constant luminance" in flaws.notes[0]
    for name in ("interlaced.mp4", "psf.mp4"):
        ours, others = decoded(cases / name, decoder, size=64)[0], decoded(cases / name, "ffmpeg", size=64)[0]
        difference = [np.abs(a.planes[0].astype(int) - b.planes[0]).mean() for a, b in zip(ours, others, strict=True)]
        assert max(difference) < (2 if decoder == "decord" else 0.1)
