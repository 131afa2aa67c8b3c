"""Memory that a process takes for itself: mapped files, which the system can take back, do not count.

It is read where Linux says it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

STATUS = Path("/proc/self/status")


def anonymous_bytes() -> int:
    """What is taken now."""
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return 1024 * int(lines["RssAnon"].split()[0])


def most_taken(action: Callable[[], object]) -> int:
    """Bytes taken at the peak of an action beyond those taken before, looked up every few milliseconds."""
    before, done = anonymous_bytes(), threading.Event()
    most = before

    def watch() -> None:
        nonlocal most
        while not done.wait(0.003):
            most = max(most, anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        action()
    finally:
        done.set()
        watcher.join()
    return max(most, anonymous_bytes()) - before
