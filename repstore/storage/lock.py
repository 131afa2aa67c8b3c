"""One writer per store."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import filelock

from repstore.errors import StoreError, StoreLockedError
from repstore.storage.layout import Layout


@contextmanager
def writing(layout: Layout) -> Iterator[None]:
    """Hold the store's writer lock. The operating system releases it when the process ends, however it ends.

    Raises:
        StoreLockedError: another process holds it; the message says which.
    """
    lock = filelock.FileLock(layout.lock, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        try:
            who = json.loads(layout.lock_holder.read_text())
            where = f"process {who['pid']} on {who['host']}"
        except (OSError, ValueError, KeyError):  # the holder has just come or gone
            where = "another process"
        raise StoreLockedError(
            f"{layout.root} is being written by {where}. Wait for it, or stop it; readers need no lock."
        ) from None
    except OSError as error:
        raise StoreError(f"{layout.root} cannot be written to: {error.strerror}.") from None
    try:
        layout.lock_holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield
    finally:
        layout.lock_holder.unlink(missing_ok=True)
        lock.release()
