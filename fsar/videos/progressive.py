"""Interlaced pictures as whole ones, as the ffmpeg program scales them.

A decoder marks pictures whose fields were taken one after the other, and by that mark FFmpeg's scaler would resize the
fields apart and comb them into one another. Files of whole pictures are marked so, too.
"""

from fractions import Fraction

import av
from av.filter import Graph


class Progressive:
    """Takes the mark away, without a copy of the picture; one for a video, set up anew where its pictures change."""

    def __init__(self) -> None:
        self._kind: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def __call__(self, picture: av.VideoFrame) -> av.VideoFrame:
        """Return the picture without the mark."""
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
