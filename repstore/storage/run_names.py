"""What runs are called. Said without the libraries that read vectors, for a shell that completes names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def labels(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each run goes by: its name, with ``@corpus`` where the name alone would be ambiguous.

    `runs`: all of a store, each with its name and corpus.
    """
    names = [run["name"] for run in runs]
    return [run["name"] if names.count(run["name"]) == 1 else full_name(run) for run in runs]


def full_name(run: Mapping[str, Any]) -> str:
    """The name that no other run of the store has."""
    return f"{run['name']}@{run['corpus']}"


def stored_id(seen: str) -> str:
    """The run_id of a run as it is stored, from that of the run as a transform shows it."""
    return seen.partition("+")[0]
