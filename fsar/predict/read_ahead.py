"""Reading clips ahead: a pool of threads decodes the next ones while the model looks at these."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from torch import Tensor

from fsar.predict.clips import Clip
from fsar.predict.model import LabellingModel
from fsar.videos.frame import VideoError

# A clip with its frames, (T, H, W, 3) RGB bytes, or with why it cannot be read.
Read = tuple[Clip, Tensor | VideoError]


def read_ahead(model: LabellingModel, clips: Iterable[Clip], workers: int) -> Iterator[Read]:
    """Yield clips as the model looks at them, in order; at most two per worker wait.

    Args:
        model: whose frames they are.
        clips: which.
        workers: threads that decode; 0 for none beside the caller's. Decoding leaves Python's lock.
    """

    def read(clip: Clip) -> Read:
        try:
            return clip, model.read(clip)
        except VideoError as error:
            return clip, error

    if not workers:
        yield from map(read, clips)
        return
    rest = iter(clips)
    with ThreadPoolExecutor(workers) as pool:
        waiting = deque(pool.submit(read, clip) for clip in islice(rest, 2 * workers))
        while waiting:
            yield waiting.popleft().result()
            waiting.extend(pool.submit(read, clip) for clip in islice(rest, 1))


def batches(read: Iterable[Read], size: int) -> Iterator[list[Read]]:
    """Yield up to `size` clips at a time."""
    rest = iter(read)
    while batch := list(islice(rest, size)):
        yield batch
