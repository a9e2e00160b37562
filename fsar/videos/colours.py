"""Replaces colour matrices that FFmpeg's scaler does not know by the nearest known one, so no video is refused."""

import av

# Code numbers of ITU-T H.273, which FFmpeg uses too: colour matrices (RGB to brightness and colour), …
RGB, BT709, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020 = 0, 1, 4, 5, 6, 7, 9
UNKNOWN = 2
KNOWN = {RGB, BT709, UNKNOWN, FCC, BT470BG, SMPTE170M, SMPTE240M, BT2020}
OF_BT2020 = {10, 14, 15}  # constant luminance, ICtCp, IPT: different arithmetic, the same primaries
NAMES = {
    8: "YCgCo",
    10: "BT.2020 with constant luminance",
    11: "SMPTE 2085",
    12: "derived from its primaries",
    13: "derived from its primaries, with constant luminance",
    14: "ICtCp",
    15: "IPT-C2",
    16: "YCgCo-Re",
    17: "YCgCo-Ro",
}
NEAREST_NAMES = {BT709: "BT.709", FCC: "FCC", SMPTE170M: "BT.601", SMPTE240M: "SMPTE 240M", BT2020: "BT.2020"}
# … the matrix that belongs to each set of primaries (P3's are near those of BT.709), …
BY_PRIMARIES = {
    1: BT709,
    4: FCC,
    5: SMPTE170M,
    6: SMPTE170M,
    7: SMPTE240M,
    9: BT2020,
    11: BT709,
    12: BT709,
    22: SMPTE170M,
}
# … and the transfer curves of HDR video.
HDR = {16: "PQ", 18: "HLG"}
LOGARITHMIC = {9, 10, 256}  # unknown to the ffmpeg program's scaler


def nearest_matrix(matrix: int, primaries: int, width: int, height: int) -> int:
    """Return the known matrix to use in place of `matrix`; `matrix` itself if the scaler knows it.

    Args:
        matrix, primaries: code numbers of the picture.
        width, height: in pixels; if nothing else is known, large pictures get BT.709 and small ones BT.601.
    """
    if matrix in KNOWN:
        return matrix
    if matrix in OF_BT2020:
        return BT2020
    return BY_PRIMARIES.get(primaries) or (BT709 if width >= 1280 or height > 576 else SMPTE170M)


def take_known_colours(picture: av.VideoFrame) -> list[str]:
    """Give a picture the nearest matrix that the scaler knows; return notes on its colours."""
    matrix, notes = picture.colorspace, []
    if matrix not in KNOWN:
        nearest = nearest_matrix(matrix, picture.color_primaries, picture.width, picture.height)
        if picture.format.is_rgb or len(picture.format.components) < 3:  # needs no matrix
            nearest = RGB if picture.format.is_rgb else UNKNOWN
        else:
            name = NAMES.get(matrix, f"number {matrix}")
            notes.append(f"its colour matrix ({name}) is not supported, and {NEAREST_NAMES[nearest]} is taken for it")
        picture.colorspace = nearest
    if picture.color_trc in HDR:
        notes.append(f"its brightness is coded for high contrast ({HDR[picture.color_trc]}), and is stored as it is")
    return notes
