"""What belongs to one process: connections and locks, which a fork copies in whatever state they are."""

from __future__ import annotations

import os
from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, Self, TypeVar, overload
from weakref import WeakKeyDictionary

T = TypeVar("T")

_turn = RLock()
"""Threads that ask for the same at once get the same."""

_held: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()
"""What holds something of this process, and the names of it."""

_of_parents: list[Any] = []
"""What the process had from which this one was forked. To destroy a connection of DuckDB here is a crash."""


class of_process(Generic[T]):  # noqa: N801  # like cached_property
    """A property that is made when it is first asked for, and made anew in a forked process."""

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, holder: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, holder: object, owner: type | None = None) -> T: ...

    def __get__(self, holder: Any, owner: type | None = None) -> T | Self:
        if holder is None:  # looked up on the class, as by inspect.getmembers
            return self
        with _turn:
            kept = vars(holder)  # from now on this is looked into first
            if self._name not in kept:
                _held.setdefault(holder, set()).add(self._name)
                kept[self._name] = self._make(holder)
            value: T = kept[self._name]
            return value


def _leave_to_parent() -> None:
    global _turn
    _turn = RLock()
    for holder, names in list(_held.items()):
        _of_parents.extend(vars(holder).pop(name, None) for name in names)
    _held.clear()


os.register_at_fork(after_in_child=_leave_to_parent)
