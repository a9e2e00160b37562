"""Decides which files are videos: by a video suffix, else by whether FFmpeg finds a video in them."""

import os
from collections import Counter
from io import FileIO

# Suffixes of videos. Such a file is not opened here; if broken, it becomes a row with a reason. Any other file is a
# video if FFmpeg finds one in it.
# fmt: off
USUAL = frozenset({
    ".264", ".265", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".h263", ".h264", ".h265", ".hevc",
    ".m1v", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mpv", ".mxf",
    ".obu", ".ogm", ".ogv", ".qt", ".rm", ".rmvb", ".vc1", ".vob", ".webm", ".wmv", ".y4m",
})
# fmt: on
# Suffixes shared by MPEG transport streams and TypeScript: a video unless it is text.
ALSO_OF_TEXT = frozenset({".ts", ".mts"})
# Formats that FFmpeg reads as video and are none: text, drawn as in a terminal, and lists of other files. And bare
# streams, for which it sometimes takes any bytes: these need a video suffix.
NO_VIDEOS = frozenset({"tty", "bin", "adf", "idf", "xbin", "concat", "dash", "hls", "imf", "sdp", "av1", "evc", "obu"})

HEAD = 4096  # bytes in which text is recognised
CONTROLS = bytes(set(range(32)) - set(b"\t\n\v\f\r\b\x1b"))


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 (a Path for each of 220,000 files takes seconds)


def is_usual(name: str) -> bool:
    """Tell whether a file is a video by its name alone."""
    return suffix_of(name) in USUAL


def is_video(path: str) -> bool:
    """Tell whether a file is a video: it has a stream of at least two pictures that is not the cover of an audio file.

    Raises:
        OSError: the file cannot be read.
    """
    suffix = suffix_of(path)
    if suffix in USUAL:
        return True
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 (a path on the disk, of any bytes)
        head = file.read(HEAD)
        if not head or _reads_as_text(head):
            return False
        file.seek(0)
        file.name = "video"  # FFmpeg would guess from the suffix, and needs a UTF-8 name
        return suffix in ALSO_OF_TEXT or _moves(file)


def _reads_as_text(head: bytes) -> bool:
    """Tell whether the first bytes of a file are UTF-8 text; then FFmpeg is not needed."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        if len(head) < HEAD or error.start < HEAD - 3:  # the last character may be cut off
            return False
    return head.translate(None, delete=CONTROLS) == head


def _moves(file: FileIO) -> bool:
    """Tell whether FFmpeg finds a video in a file."""
    try:
        import av  # here, so that a run is planned quickly
        from av.stream import Disposition
    except ModuleNotFoundError:
        return True  # unknown during planning, if only the jobs' own environments have PyAV
    try:
        with av.open(file, "r", metadata_errors="ignore", options={"protocol_whitelist": "file"}) as container:
            about = container.format
            pictures = about.name == "mjpeg" or about.name.endswith("_pipe")
            if about.name in NO_VIDEOS or (about.long_name.startswith("raw ") and not pictures):
                return False
            # An image has one packet; a photo may hold a few previews of itself.
            least = 10 if pictures else 2
            moving = [s for s in container.streams.video if s.width and not s.disposition & Disposition.attached_pic]
            seen: Counter[int] = Counter()
            for packet in container.demux(moving) if moving else ():
                seen[packet.stream_index] += packet.size > 0
                if seen[packet.stream_index] == least:
                    return True
            return False
    except (av.FFmpegError, OSError, ValueError):
        return False
