"""Reads frames from the frame store, which is memory-mapped."""

from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import simplejpeg
from numpy.typing import NDArray

from fsar.errors import UserError
from fsar.seal import whole
from fsar.videos.sampling import Timed
from fsar.videos.shards import SHARD_SCHEMA, frame_checksum, layout_checksum, shard_name


class FrameStore:
    """Read access to the frames of a benchmark. Videos are named by their numbers, the rows of the index.

    Each process memory-maps the Arrow files on first use. Facts of the videos are in flat arrays
    and not in Python objects, so loader processes share them with the process that started them.
    """

    def __init__(self, folder: Path, index: Path):
        self.folder = folder
        columns = ["video_id", "shard", "row", "source_frames", "fps", "variable_rate", "status"]
        with whole(index):
            table = pq.read_table(index, columns=columns)
        self._ids = table["video_id"].combine_chunks()
        self._shard, self._row, self._length, self._fps, self._varies = (
            table[name].to_numpy() for name in columns[1:-1]
        )
        self._readable = pc.equal(table["status"], "ok").to_numpy()

    def numbers(self, video_ids: Sequence[str]) -> NDArray[np.int64]:
        """Return the numbers of these videos.

        Raises:
            KeyError: some are not in the store, or could not be decoded.
        """
        found = pc.index_in(pa.array(video_ids, pa.string()), self._ids).fill_null(-1).to_numpy().astype(np.int64)
        missing = (found < 0) | ~self._readable[found]
        if missing.any():
            raise KeyError(video_ids[int(missing.argmax())])
        return found

    def video_id(self, number: int) -> str:
        """Return the id of a video."""
        return cast(str, self._ids[number].as_py())

    def length(self, number: int) -> int:
        """Return how many frames the source video has."""
        return int(self._length[number])

    def fps(self, number: int) -> float:
        """Return the frame rate of the source video, in frames per second; 0 if unknown."""
        return float(self._fps[number])

    def varies(self, number: int) -> bool:
        """Return whether the frame rate of the source video varies."""
        return bool(self._varies[number])

    def times(self, number: int) -> NDArray[np.float64]:
        """Return when each stored frame is shown, in seconds from the start of the presentation."""
        return cast("NDArray[np.float64]", self._batch(number).column("time").to_numpy())

    def timed(self, number: int) -> Timed | None:
        """Return positions and times of the stored frames if the rate varies, else None."""
        if not self.varies(number):
            return None
        return Timed(self._batch(number).column("position").to_numpy(), self.times(number))

    @cached_property
    def size(self) -> int:
        """Height and width of the stored frames, in pixels."""
        number = int(self._readable.argmax())
        return int(simplejpeg.decode_jpeg_header(self.jpegs(number, np.zeros(1, np.int64))[0])[0])

    def frames(self, number: int, positions: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return (T, size, size, 3) RGB bytes: the frames at these positions of the source, or the nearest stored."""
        frames = np.empty((len(positions), self.size, self.size, 3), np.uint8)
        self.read(number, positions, 0, 0, frames)
        return frames

    def read(self, number: int, positions: NDArray[np.int64], top: int, left: int, clip: NDArray[np.uint8]) -> None:
        """Fill `clip`, (T, h, w, 3), with the window of the frames that begins at (top, left)."""
        height, width = clip.shape[1:3]
        for jpeg, frame in zip(self.jpegs(number, positions), clip, strict=True):
            # All frames go through the same memory, which so stays in the processor's cache.
            simplejpeg.decode_jpeg(jpeg, buffer=self._scratch)
            frame[:] = self._scratch[top : top + height, left : left + width]

    @cached_property
    def _scratch(self) -> NDArray[np.uint8]:
        return np.empty((self.size, self.size, 3), np.uint8)

    def jpegs(self, number: int, positions: NDArray[np.int64]) -> list[memoryview]:
        """Return the JPEGs of these frames, or of the nearest stored, without copying them."""
        batch = self._batch(number)
        jpegs, checksums, stored = batch.column("jpeg"), batch.column("checksum"), batch.column("position").to_numpy()
        layout = layout_checksum(self.video_id(number), stored, batch.column("time").to_numpy())
        found = []
        for place in nearest(stored, positions):
            jpeg = memoryview(jpegs[place].as_buffer()).cast("B")
            if frame_checksum(layout, jpeg) != checksums[place].as_py():
                raise UserError(self._damaged(number, "its checksum is another one"))
            found.append(jpeg)
        return found

    def _batch(self, number: int) -> pa.RecordBatch:
        """Return what is stored of a video.

        Raises:
            UserError: the shard is not there, is damaged, or is another kind of file.
        """
        shard = self.folder / shard_name(int(self._shard[number]))
        try:
            batch = _open_shard(shard).get_batch(int(self._row[number]))
            if not batch.schema.equals(SHARD_SCHEMA):
                raise ValueError("it has other columns")
            batch.validate()
            # Offsets are checked before use: damaged ones point anywhere.
            offsets = np.frombuffer(batch.column("jpeg").buffers()[1], np.int64)[: len(batch) + 1]
            if not len(batch) or (np.diff(offsets) < 0).any() or offsets[0] < 0:
                raise ValueError("its offsets are no offsets")
        except FileNotFoundError:
            raise UserError(f"There is no file {shard}. Run the command again, and its videos are decoded.") from None
        except (OSError, pa.ArrowException, ValueError, IndexError) as error:
            raise UserError(self._damaged(number, " ".join(str(error).split())[:200])) from error
        return batch

    def _damaged(self, number: int, why: str) -> str:
        shard = self.folder / shard_name(int(self._shard[number]))
        return (
            f"{shard} is damaged at the video {self.video_id(number)}: {why}. Delete it, and the same command decodes "
            "its videos again; `snakemake verify` looks at all shards."
        )


def nearest(stored: NDArray[np.int32], wanted: NDArray[np.int64]) -> list[int]:
    """Return, for each wanted position, which of the increasing stored positions is nearest (the earlier of two)."""
    after = np.clip(np.searchsorted(stored, wanted), 0, len(stored) - 1)
    before = np.maximum(after - 1, 0)
    return [int(b if w - stored[b] <= stored[a] - w else a) for a, b, w in zip(after, before, wanted, strict=True)]


@lru_cache(maxsize=4096)
def _open_shard(path: Path) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(str(path)))
