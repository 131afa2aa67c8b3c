"""What does not fit into the memory that is allowed is refused, and not begun."""

from __future__ import annotations

from repstore.errors import ResultError


def check_fits(what: str, needed: int, memory: int, remedy: str = "Allow more.") -> None:
    """Refuse to work in less memory than it takes.

    Args:
        what: the work, to begin a sentence with.
        needed: bytes it takes at least.
        memory: bytes that are allowed.
        remedy: what to do now.

    Raises:
        ResultError: `memory` is less than `needed`.
    """
    if memory < needed:
        raise ResultError(
            f"{what} takes at least {-(-needed >> 20)} MiB of memory; {max(memory, 0) >> 20} are allowed. "
            f"{remedy}"
        )
