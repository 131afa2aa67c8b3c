"""One writer per store."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from repstore.errors import StoreError, StoreLockedError
from repstore.storage.files import make_folder, unwritten
from repstore.storage.layout import Layout
from repstore.storage.runs import check_format

PATIENCE = 0.2
"""Seconds after which a lock counts as held by a writer: `writer_of` holds it for an instant, too."""


@contextmanager
def writing(layout: Layout) -> Iterator[None]:
    """Hold the writer lock of a store of the present format, or of a folder that is to become one.

    Raises:
        StoreVersionError: the store has an older format.
        StoreError, StoreLockedError: as `holding`.
    """
    with holding(layout):
        check_format(layout)
        yield


@contextmanager
def holding(layout: Layout) -> Iterator[None]:
    """Hold the writer lock of a store, whatever its format; its folder is made if there is none.

    The operating system releases the lock when the process ends, however it ends.

    Raises:
        StoreLockedError: another process holds it; the message says which.
        StoreError: the store cannot be written to, now or in the course of the work.
    """
    lock = filelock.FileLock(layout.lock, timeout=PATIENCE)
    try:
        make_folder(layout.root)
        lock.acquire()
    except filelock.Timeout:
        raise StoreLockedError(
            f"{layout.root} is being written by {_holder(layout)}. Wait for it, or stop it; "
            "readers need no lock."
        ) from None
    except OSError as error:
        raise StoreError(f"{layout.root} cannot be written to: {error.strerror}.") from None
    try:
        layout.lock_holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
        yield
    except OSError as error:
        raise unwritten(Path(error.filename or layout.root), error) from error
    finally:
        layout.lock_holder.unlink(missing_ok=True)
        lock.release()


def writer_of(layout: Layout) -> str | None:
    """Which process is writing to the store, in words; None if none is. Nothing is written."""
    try:
        descriptor = os.open(layout.lock, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(layout)
    finally:
        os.close(descriptor)  # and with it, the lock is given back
    return None


def _holder(layout: Layout) -> str:
    try:
        who = json.loads(layout.lock_holder.read_text())
        return f"process {who['pid']} on {who['host']}"
    except (OSError, ValueError, KeyError):  # it has just come or gone
        return "another process"
