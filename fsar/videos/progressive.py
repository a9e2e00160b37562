"""Treats interlaced pictures as whole frames, as the ffmpeg program does.

A decoder flags pictures as interlaced. Because of that flag, FFmpeg's scaler would resize the two fields separately and
interleave them. Files of whole frames carry the flag, too.
"""

from fractions import Fraction

import av
from av.filter import Graph


class Progressive:
    """Removes the flag without copying the picture. One object per video; set up again when the format changes."""

    def __init__(self) -> None:
        self._kind: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the picture without the flag."""
        if not picture.interlaced_frame:
            return picture
        kind = (picture.width, picture.height, picture.format.name)
        if self._graph is None or kind != self._kind:
            self._kind, self._graph = kind, _graph(picture)
        self._graph.vpush(picture)
        return self._graph.vpull()


def _graph(picture: av.VideoFrame) -> Graph:
    graph = Graph()
    unit = picture.time_base or Fraction(1, 1000)
    source = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=unit)
    graph.link_nodes(source, graph.add("setfield", "prog"), graph.add("buffersink")).configure()
    return graph
