"""Loading ahead in a thread: the next batches are read while the model computes."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

Item = TypeVar("Item")

# Items that are loaded before they are asked for.
AHEAD = 2


@contextmanager
def load_ahead(items: Iterable[Item], inside: AbstractContextManager[Any] | None = None) -> Iterator[Iterator[Item]]:
    """Iterate in a thread of its own, in order, `AHEAD` items before they are asked for.

    What loading an item raises is raised where it is asked for. The thread ends with the context, whatever ends that.

    Args:
        items: read in the one thread alone.
        inside: entered in the thread around each item.
    """
    rest, end = iter(items), object()

    def load() -> Any:
        with inside or nullcontext():
            return next(rest, end)

    with ThreadPoolExecutor(1) as pool:

        def loaded() -> Iterator[Item]:
            waiting = deque(pool.submit(load) for _ in range(AHEAD))
            while (item := waiting.popleft().result()) is not end:
                waiting.append(pool.submit(load))
                yield item

        try:
            yield loaded()
        finally:
            pool.shutdown(cancel_futures=True)
