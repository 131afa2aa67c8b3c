"""What all figures share: colors, texts that fit, and a file that is the same for the same figure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from repstore.errors import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008: told apart with any kind of color vision."""

METADATA: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Formats, and what would make the same figure differ from day to day."""

TICK_STEPS = (1, 2, 4, 5, 10, 20, 25, 50, 100)
FEWEST_TICKS, MOST_TICKS = 4, 13

LETTER_WIDTH = 0.56
"""Of a letter of the font, on average, as a share of the font's size."""


def check_drawable(path: Path) -> None:
    """Refuse a file of a kind that cannot be drawn, or any without matplotlib.

    Raises:
        ArgumentError: it is of such a kind.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix not in METADATA:
        raise ArgumentError(f"Cannot draw into {path}. Give a file ending in {', '.join(METADATA)}.")
    require_matplotlib()


def require_matplotlib() -> None:
    """Refuse to go on without what draws.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401  # what is there may be broken
    except ImportError:
        raise MissingExtraError(
            "Plots need matplotlib. Install it with: pip install 'repstore[plot]'"
        ) from None


def wrapped(text: str, inches: float, font_size: float) -> str:
    """The text in lines that fit a width. Names stay whole."""
    n_letters = max(1, int(72 * inches / (LETTER_WIDTH * font_size)))
    return textwrap.fill(text, n_letters, break_long_words=False, break_on_hyphens=False)


def tick_step(n_labels: int) -> int:
    """Every how many labels to write one: a round number that leaves a few, best with the last among them."""
    counts = {step: (n_labels - 1) // step + 1 for step in TICK_STEPS}
    few = [step for step, count in counts.items() if count <= MOST_TICKS]
    ending = [step for step in few if (n_labels - 1) % step == 0 and counts[step] >= FEWEST_TICKS]
    return (ending or few or [-(-n_labels // MOST_TICKS)])[0]


def named_ticks(names: Sequence[str]) -> list[int]:
    """Which of the names at an axis to write: of the numbers every so many, and all others."""
    numbers = [n for n, name in enumerate(names) if name.isdigit()]
    others = [n for n, name in enumerate(names) if not name.isdigit()]
    return sorted(numbers[:: tick_step(len(numbers))] + others) if numbers else others


@contextmanager
def drawing(
    path: Path, size: tuple[float, float], layout: Literal["constrained"] | None = "constrained"
) -> Iterator[Figure]:
    """A figure to draw into; then it is written, the same bytes for the same figure.

    Args:
        path: the file; its suffix says the format.
        size: width and height in inches.
        layout: matplotlib's; without one the axes stay where they are put.

    Raises:
        ArgumentError: the file cannot be written, or is of a kind that cannot be drawn.
        MissingExtraError: matplotlib is not installed.
    """
    check_drawable(path)
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A dollar sign in a run's name is not mathematics.
    with rc_context({"svg.hashsalt": "repstore", "text.parse_math": False}):
        figure = Figure(figsize=size, dpi=150, layout=layout)
        FigureCanvasAgg(figure)
        yield figure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata=METADATA[path.suffix])
        except OSError as error:
            raise ArgumentError(f"Cannot draw into {path}: {error.strerror}.") from None
