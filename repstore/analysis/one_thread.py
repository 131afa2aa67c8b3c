"""Linear algebra on one thread, so that sums are always the same, for several threads of ours at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

_lock = Lock()
_inside: list[Any] = []
"""One entry for each block of code that is inside; the first is the limit that the last one out lifts."""


@contextmanager
def one_thread() -> Iterator[None]:
    """BLAS works on one thread as long as any thread of ours is inside.

    The limit is the whole process's. A limit of each thread's own would be lifted by the first that is done
    while others still count on it. A library that is loaded later than the limit is set escapes it: scipy has
    a BLAS of its own, and is loaded first.
    """
    import scipy.linalg  # noqa: F401
    from threadpoolctl import OpenBLASController, threadpool_limits

    # Of several threads only the first that ever limits OpenBLAS may do so, unless it is told that this one
    # is done: here they take turns under a lock.
    with _lock:
        if not _inside:
            OpenBLASController.clear_controlling_thread(force=True)
        _inside.append(_inside[0] if _inside else threadpool_limits(1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limit = _inside.pop()
            if not _inside:
                OpenBLASController.clear_controlling_thread(force=True)
                limit.restore_original_limits()
                OpenBLASController.clear_controlling_thread(force=True)
