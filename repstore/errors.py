"""Every error repstore raises on purpose. Each message says what, where, and what to do now.

::

    RepstoreError
     ├─ ArgumentError         an argument that cannot be used: unknown layer, bad threshold, ...
     │   ├─ NotFoundError     a run, corpus, word, layer or column that is not there
     │   └─ SeveralWordsError several words fit where one is meant
     ├─ CorpusError           input that cannot be read, with file and line
     ├─ ModelError            a model that cannot be found, loaded or understood
     ├─ MissingExtraError     an optional part of repstore that is not installed
     ├─ QueryError            SQL that DuckDB refuses
     ├─ ResultError           a question the stored vectors cannot answer
     └─ StoreError
         ├─ StoreNotFoundError
         ├─ StoreVersionError   of a newer format, or of an older one and to be written to
         ├─ StoreLockedError    another writer is at work
         └─ StoreDamagedError   files that contradict each other
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

HALF = re.compile("[\ud800-\udfff]")
"""Half of a surrogate pair."""


class RepstoreError(Exception):
    """Base of all errors raised by repstore."""


class ArgumentError(RepstoreError, ValueError):
    """An argument cannot be used as given."""


class NotFoundError(ArgumentError, LookupError):
    """The store has no such run, corpus, word or layer, or a table no such column."""


class SeveralWordsError(ArgumentError):
    """Several words fit where one is meant. `uses` has their properties, such as word_id, sense and text."""

    def __init__(self, message: str, uses: Sequence[Mapping[str, Any]]) -> None:
        super().__init__(message)
        self.uses = uses


class CorpusError(RepstoreError):
    """Input text or annotation that cannot be read."""


class ModelError(RepstoreError):
    """A model that cannot be found, loaded or understood."""


class MissingExtraError(RepstoreError, ImportError):
    """An optional part of repstore is not installed."""


class QueryError(RepstoreError):
    """SQL that cannot be run."""


class ResultError(RepstoreError):
    """A question that the stored vectors cannot answer."""


class StoreError(RepstoreError):
    """Something is wrong with a store."""


class StoreNotFoundError(StoreError):
    """There is no store at that path."""


class StoreVersionError(StoreError):
    """The store has a newer format than this version knows, or an older one and is to be written to."""


class StoreLockedError(StoreError):
    """Another process is writing to the store."""


class StoreDamagedError(StoreError):
    """Files of the store are missing or contradict each other."""


def check_choice(option: str, given: object, known: Iterable[str]) -> None:
    """Refuse what is not one of an option's choices.

    Raises:
        ArgumentError: it is none of them; the message names the closest.
    """
    if given not in (names := list(known)):
        raise ArgumentError(f'No {option} "{given}". {did_you_mean(str(given), names)}')


def is_utf8(text: str) -> bool:
    """Whether a text has no half of a surrogate pair, as JSON can hold and bytes of a command line become."""
    return HALF.search(text) is None


def check_utf8(*given: object) -> None:
    """Refuse texts, and paths, that no file of a store can hold.

    Raises:
        ArgumentError: one of them is none in UTF-8.
    """
    for one in given:
        if isinstance(one, str | PurePath) and not is_utf8(str(one)):
            raise ArgumentError(
                f"{str(one)!a} has bytes in it that are not UTF-8. Write it in UTF-8, or rename the file."
            )


def did_you_mean(asked: str, known: Iterable[str]) -> str:
    """A hint naming the closest known name, or listing what there is. Upper and lower case count least."""
    names = sorted(set(known))
    folded: dict[str, str] = {}
    for name in names:
        folded.setdefault(name.casefold(), name)
    swapped = (name for name in names if sorted(name) == sorted(asked))  # letters in another order
    close = difflib.get_close_matches(asked, names, n=1)
    alike = folded.get(asked.casefold()) or next(iter([*swapped, *close]), None)
    if alike is None:
        close = difflib.get_close_matches(asked.casefold(), folded, n=1)
        alike = folded[close[0]] if close else None
    if alike is not None:
        return f'Did you mean "{alike}"?'
    if not names:
        return "There are none."
    return f"Known: {', '.join(names[:8])}" + (", and more." if len(names) > 8 else ".")
