"""Files that are whole or absent, even after a crash or a power cut."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from repstore.errors import StoreDamagedError, StoreError

TEMPORARY = ".tmp"
"""Suffix of files being written; whatever carries it after a crash is litter."""

Write = Callable[[bytes | memoryview], None]

CHECKSUM = "checksum"
"""Last key of every JSON file: the digest of the others."""


def write_durably(path: Path, chunks: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write `chunks` to a temporary file, flush it to the disk, and only then give it its name.

    Returns:
        The number of bytes and their SHA-256.
    """
    written = write_beside(path, chunks)
    publish(draft_of(path), path)
    return written


def draft_of(path: Path) -> Path:
    """Under which name a file, or folder, is written before it gets its own."""
    return path.with_name(path.name + TEMPORARY)


def write_beside(path: Path, chunks: Iterable[bytes | memoryview]) -> tuple[int, str]:
    """Write `chunks` to the temporary file of a path (`draft_of`), and flush it to the disk.

    Returns:
        The number of bytes and their SHA-256.
    """

    def produce(write: Write) -> None:
        for chunk in chunks:
            write(chunk)

    return write_draft(draft_of(path), produce)


def write_draft(draft: Path, produce: Callable[[Write], None]) -> tuple[int, str]:
    """Write a temporary file and flush it to the disk; `publish` gives it its name. It is whole or gone.

    Args:
        draft: its path, ending in `TEMPORARY`.
        produce: gives the bytes, piece by piece, to the function that it is called with.

    Returns:
        The number of bytes and their SHA-256.

    Raises:
        StoreError: the disk is full, above all.
    """
    make_folder(draft.parent)
    n_bytes, sha = 0, hashlib.sha256()
    try:
        with draft.open("wb", buffering=0) as file:

            def write(chunk: bytes | memoryview) -> None:
                nonlocal n_bytes
                view = memoryview(chunk)
                n_bytes += view.nbytes
                sha.update(view)
                while view.nbytes:  # an unbuffered write may stop short
                    view = view[file.write(view) :]

            produce(write)
            os.fsync(file.fileno())
    except OSError as error:
        draft.unlink(missing_ok=True)  # a full disk, above all: give its space back
        raise unwritten(draft.with_name(draft.name.removesuffix(TEMPORARY)), error) from error
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return n_bytes, sha.hexdigest()


def unwritten(path: Path, error: Exception) -> StoreError:
    """The error for what the operating system does not write: the disk is full, above all."""
    return StoreError(
        f"{path} cannot be written: {reason_of(error)}. What is committed is kept; mend that, and run "
        "the same command again."
    )


def reason_of(error: Exception) -> str:
    """Why something cannot be written, in the words of the operating system where they are its own."""
    number = error.errno if isinstance(error, OSError) else None
    return os.strerror(number) if number else str(error).splitlines()[0]


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a small JSON object durably, keys in the order given, with a digest of itself as the last."""
    write_durably(path, [json_bytes(value)])


def json_bytes(value: dict[str, Any]) -> bytes:
    """The bytes of a JSON file that `read_json` reads."""
    return _text(value).encode()


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that `write_json` wrote.

    Raises:
        StoreDamagedError: it is missing, or differs in any byte from what was written.
    """
    try:
        text = path.read_text(encoding="utf-8")
        value: dict[str, Any] = json.loads(text)
        del value[CHECKSUM]
        intact = text == _text(value)
    except FileNotFoundError:
        raise StoreDamagedError(f'{path} is missing. Run "repstore verify".') from None
    except OSError as error:
        raise StoreDamagedError(f'{path} cannot be read: {error.strerror}. Run "repstore verify".') from None
    except (ValueError, KeyError, TypeError):
        intact = False
    if not intact:
        raise StoreDamagedError(f'{path} is not what was written. Run "repstore verify".')
    return value


def _text(value: dict[str, Any]) -> str:
    checksum = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
    return json.dumps(value | {CHECKSUM: checksum}, indent=2, ensure_ascii=False) + "\n"


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_checked(path: Path, sha256: str) -> bytes:
    """The bytes of a file, if they are as they were written.

    Raises:
        StoreDamagedError: they are not, or it cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise StoreDamagedError(f'{path} cannot be read: {error.strerror}. Run "repstore verify".') from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise StoreDamagedError(f'{path} is not what was written. Run "repstore verify".')
    return data


def publish(temporary: Path, final: Path) -> None:
    """Rename a flushed file or folder to its final name, and flush the rename."""
    temporary.replace(final)
    sync_folder(final.parent)


def sync_folder(folder: Path) -> None:
    """Flush a folder's list of names to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_file(path: Path) -> None:
    """Flush a file that a library wrote."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def free_bytes(path: Path) -> int:
    """Free bytes of the disk that holds a path, or will hold it."""
    place = path.absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def make_folder(path: Path) -> None:
    """Make a folder and those above it, flushing each new name to the disk."""
    if not path.exists():
        make_folder(path.parent)
        path.mkdir(exist_ok=True)
        sync_folder(path.parent)


def fresh_folder(path: Path) -> Path:
    """An empty folder at `path`; what a crashed writer left there is removed."""
    shutil.rmtree(path, ignore_errors=True)
    make_folder(path)
    return path
