"""The neighbors of a word at every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.plots.canvas import drawing, wrapped
from repstore.spec import is_mix

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SAME_SENSE, OTHER_SENSE, OTHER_LEMMA = "#0072B2", "#E69F00", "#E5E5E5"


def trajectory(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    word: Mapping[str, Any],
    title: str,
    tied_layers: Sequence[int],
) -> None:
    """Draw the neighbors of a word at every layer, colored by what they have in common with it.

    Args:
        path: the file.
        rows: neighbors with layer, rank, form, lemma and sense.
        word: lemma and sense of the word itself; None where unknown.
        title: what they are neighbors of.
        tied_layers: where other words are as near as the last; drawn pale, and left out of the shares.
    """
    layers = sorted(dict.fromkeys(row["layer"] for row in rows), key=is_mix)
    n_joined = sum(not is_mix(layer) for layer in layers)
    depth = max((row["rank"] for row in rows), default=1)
    cells = [
        _Cell(
            layers.index(row["layer"]),
            row["rank"],
            row["form"],
            _kinship(row, word),
            row["layer"] in tied_layers,
        )
        for row in rows
    ]
    width = max(6.0, 1.5 + 0.52 * len(layers))
    with drawing(path, (width, 2.4 + 0.24 * depth)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 0.24 * depth])
        for name, color in _kinships(word):
            if name != "other lemma":
                shares = _shares(cells, name, len(layers))
                upper.plot(range(n_joined), shares[:n_joined], "o-", color=color, markersize=3)
                upper.plot(range(n_joined, len(layers)), shares[n_joined:], "o", color=color, markersize=6)
            for is_tied in (False, True):
                here = [cell for cell in cells if (cell.kinship, cell.is_tied) == (name, is_tied)]
                _draw_cells(lower, here, color, 0.3 if is_tied else 1, "_tied" if is_tied else name)
        for cell in cells:
            is_dark = cell.kinship in ("same sense", "same lemma") and not cell.is_tied
            color, place = "white" if is_dark else "black", {"ha": "center", "va": "center"}
            lower.text(cell.column, cell.rank, cell.form[:9], fontsize=5.5, color=color, **place)
        upper.axhline(0.5, color="gray", linestyle=(0, (1, 3)), linewidth=0.8)
        upper.set_ylim(-0.05, 1.05)
        upper.set_ylabel("share")
        upper.set_title(wrapped(title, width - 0.8, 10), loc="left", fontsize=10)
        lower.set_ylim(depth + 0.6, 0.4)
        lower.set_yticks(range(1, depth + 1))
        lower.set_ylabel("rank")
        lower.set_xlabel("layer")
        lower.set_xlim(-0.6, len(layers) - 0.4)
        lower.set_xticks(range(len(layers)), [str(layer) for layer in layers], fontsize=7)
        for label in lower.get_xticklabels()[n_joined:]:
            label.set(rotation=90)
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*lower.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)


@dataclass(frozen=True)
class _Cell:
    """A neighbor in the figure of a trajectory."""

    column: int
    rank: int
    form: str
    kinship: str
    is_tied: bool


def _shares(cells: Sequence[_Cell], kinship: str, n_columns: int) -> list[float]:
    """The share of a kinship in each column; NaN where it hangs on ties."""
    shares = []
    for column in range(n_columns):
        here = [cell for cell in cells if cell.column == column]
        is_tied = any(cell.is_tied for cell in here)
        n_kin = sum(cell.kinship == kinship for cell in here)
        shares.append(np.nan if is_tied else n_kin / max(1, len(here)))
    return shares


def _draw_cells(axes: Axes, cells: Sequence[_Cell], color: str, alpha: float, label: str) -> None:
    columns, heights = [cell.column for cell in cells], [0.94] * len(cells)
    bottoms = [cell.rank - 0.47 for cell in cells]
    axes.bar(columns, heights, 0.94, bottoms, color=color, alpha=alpha, label=label)


def _kinships(word: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a neighbor can have in common with a word, and its color."""
    if word.get("sense") is None:
        return [("same lemma", SAME_SENSE), ("other lemma", OTHER_LEMMA)]
    return [("same sense", SAME_SENSE), ("other sense", OTHER_SENSE), ("other lemma", OTHER_LEMMA)]


def _kinship(row: Mapping[str, Any], word: Mapping[str, Any]) -> str:
    if word.get("lemma") is None or row["lemma"] != word["lemma"]:
        return "other lemma"
    if word.get("sense") is None:
        return "same lemma"
    return "same sense" if row["sense"] == word["sense"] else "other sense"
