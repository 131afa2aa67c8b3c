"""Files for other programs that are whole or absent: written beside their place, and moved there at last."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from repstore.errors import ArgumentError, check_utf8
from repstore.storage.files import publish, reason_of, sync_file


def check_new(files: Sequence[Path], store: Path) -> None:
    """Refuse places where nothing can come: not in a folder, taken already, inside the store, not in UTF-8.

    Raises:
        ArgumentError: a file is to be in such a place.
    """
    _check_free(files)
    for file in files:
        check_utf8(file)
        if not file.parent.is_dir():
            raise ArgumentError(f"There is no folder {file.parent}. Make it first, or give another place.")
        if file.resolve().is_relative_to(store.resolve()):
            raise ArgumentError(f"{file} is inside the store. Give a place outside of it.")


def _check_free(files: Sequence[Path]) -> None:
    for file in files:
        if os.path.lexists(file):
            raise ArgumentError(f"{file} is there already. Remove it, or give another name.")


def check_room(folder: Path, n_bytes: int) -> None:
    """Refuse to begin what the disk has no room for.

    Raises:
        ArgumentError: it has not.
    """
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise ArgumentError(
            f"This takes about {n_bytes / 1e9:.2f} GB, and {folder} has {free / 1e9:.2f} GB free. Make room, "
            "or ask for fewer layers, fewer words or float16."
        )


@contextmanager
def drafting(files: Sequence[Path]) -> Iterator[Path]:
    """Where to write files (or folders) of these names; at the end they are moved to their places, in order.

    Whatever ends it earlier, nothing is left; of a process that is killed, until the next one comes by.

    Raises:
        ArgumentError: they cannot be written: the disk is full, above all, or another came first.
    """
    place = files[-1].parent
    folder: Path | None = None
    held: int | None = None
    try:
        _remove_abandoned(place)
        folder, held = _new_folder(place)
        yield folder
        for written in sorted(folder.rglob("*")):
            if written.is_file():
                sync_file(written)
        _check_free(files)  # again: it may have taken long
        _publish(folder, files)
    except OSError as error:
        raise ArgumentError(
            f"{files[-1]} cannot be written: {reason_of(error)}. Nothing is kept of it."
        ) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if held is not None:
            os.close(held)


def _prefix() -> str:
    """How the folders of this machine begin: what another one locks cannot be seen on every shared disk."""
    return f".repstore-{socket.gethostname()}-"


def _new_folder(place: Path) -> tuple[Path, int]:
    """A folder to write in, and what holds it locked until it is closed, or the process ends."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_prefix(), dir=place))
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:  # another export took it for abandoned before it was locked
            continue
        with suppress(OSError):  # a disk without locks, where no folder counts as abandoned
            fcntl.flock(held, fcntl.LOCK_EX)
        if folder.exists():
            return folder, held
        os.close(held)


def _remove_abandoned(place: Path) -> None:
    """Remove what killed processes left: folders that nobody holds locked."""
    for folder in place.glob(f"{_prefix()}*"):
        try:
            held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:  # gone meanwhile, or somebody else's
            continue
        with suppress(OSError):
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        os.close(held)


def _publish(folder: Path, files: Sequence[Path]) -> None:
    """Move files to their places: all of them, or none."""
    try:
        for file in files:
            publish(folder / file.name, file)
    except BaseException:
        for file in files[:-1]:
            if not (folder / file.name).exists():
                file.unlink(missing_ok=True)
        raise
