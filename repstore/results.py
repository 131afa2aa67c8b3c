"""Tables of results that know what they are."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from repstore import plots
from repstore.errors import ArgumentError, MissingExtraError, NotFoundError, did_you_mean
from repstore.spec import is_mix
from repstore.storage.saved_results import as_json, parquet_of

if TYPE_CHECKING:
    import pandas
    from rich.console import Group

SHOWN_ROWS = 40
BATCH = 1024
UNBOUNDED = 100_000


@dataclass(frozen=True, repr=False)
class Figure:
    """How a result is drawn: curves of `y` (one per `series`) against `x`, a matrix of `y` over `x` and
    `series`, panels with curves of many measures, a trajectory, or masks (of each `series`, which of so many
    `x` are in the list `y`). `also` are columns that tell curves apart, too.

    `band` names the columns of the lower and upper end of an interval about `y`, and `level` a column of
    heights to see the curves against, if the table has it. `mark` names a column that is true in the cells of
    a matrix to point out. `panels` are measures drawn one beside the other, instead of `y`, each with its own
    scale and perhaps a band.
    """

    kind: Literal["curve", "matrix", "panels", "trajectory", "masks"]
    x: str
    y: str
    series: str | None = None
    band: tuple[str, str] | None = None
    level: str | None = None
    mark: str | None = None
    panels: Sequence[tuple[str, tuple[str, str] | None]] = ()
    also: Sequence[str] = ()

    @classmethod
    def read(cls, said: Mapping[str, Any] | None) -> Figure | None:
        """A figure from JSON, as `ResultTable.about` has it."""
        if said is None:
            return None
        panels = [(y, band and tuple(band)) for y, band in said["panels"]]
        return cls(
            **{
                **said,
                "band": said["band"] and tuple(said["band"]),
                "panels": panels,
                "also": tuple(said["also"]),
            }
        )


@dataclass(frozen=True, repr=False)
class ResultTable:
    """An Arrow table with its meaning.

    Attributes:
        table: the rows.
        title: one line that says what they are.
        units: what the numbers of a column mean, by column.
        provenance: run, split, seed, ... : what the result was computed from.
        figure: how it is drawn, if it can be.
        notes: what a reader of the table must know; printed below it.
        made: when, how long and by which versions it was computed: all that may differ when the same is asked
            again. Of a result that was kept also when it was saved, and the command.
    """

    table: pa.Table
    title: str
    units: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    figure: Figure | None = None
    notes: Sequence[str] = ()
    made: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def about(self) -> dict[str, Any]:
        """What is said of the rows, as JSON has it: title, units, provenance, notes and figure."""
        said = {"title": self.title, "units": self.units, "provenance": self.provenance}
        figure = None if self.figure is None else asdict(self.figure)
        written: dict[str, Any] = as_json({**said, "notes": self.notes, "figure": figure})
        return written

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.table.column_names)

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __getitem__(self, column: str) -> list[Any]:
        """The values of a column.

        Raises:
            NotFoundError: there is none of that name.
        """
        if column not in self.columns:
            raise NotFoundError(f'No column "{column}". {did_you_mean(str(column), self.columns)}')
        values: list[Any] = self.table[column].to_pylist()
        return values

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The rows, as dictionaries, which take ten times the memory of the table: some at a time."""
        for batch in self.table.to_batches(max_chunksize=BATCH):
            yield from batch.to_pylist()

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.table

    def to_pandas(self) -> pandas.DataFrame:
        """The rows as a pandas data frame."""
        try:
            frame: pandas.DataFrame = self.table.to_pandas()
        except ImportError:
            raise MissingExtraError("Data frames need pandas. Install it with: pip install pandas") from None
        return frame

    def to_json(self) -> str:
        """The rows as an array of objects; NaN and infinities become null."""
        return json.dumps([{k: _plain(v) for k, v in row.items()} for row in self], ensure_ascii=False)

    def to_csv(self, path: str | Path | None = None) -> str:
        """The rows as CSV with a header; written to a file, too, if a path is given."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(row.values() for row in self)
        if path is not None:
            Path(path).write_text(text.getvalue(), encoding="utf-8")
        return text.getvalue()

    def to_parquet(self, path: str | Path) -> None:
        """Write the rows, with what is said of them (`about`) in the file's metadata."""
        Path(path).write_bytes(parquet_of(self.table, self.about))

    def plot(self, path: str | Path) -> None:
        """Draw the result into a PNG, SVG or PDF file.

        Raises:
            ArgumentError: it has nothing to draw, or the file cannot be written.
            MissingExtraError: matplotlib is not installed.
        """
        path, shape = Path(path), self.figure
        if shape is None:
            raise ArgumentError(f'"{self.title}" is a list, with no curve or matrix to draw.')
        if shape.kind == "trajectory":
            word = {name: self.provenance[name] for name in ("lemma", "sense")}
            plots.trajectory(path, list(self), word, self.title, self.provenance["tied_layers"])
        elif shape.kind == "matrix":
            self._plot_matrix(path, shape)
        elif shape.kind == "panels":
            self._plot_panels(path, shape)
        elif shape.kind == "masks":
            assert shape.series is not None
            plots.masks(path, self[shape.series], self[shape.y], self[shape.x][0], self.title)
        else:
            panel = plots.Panel(
                self.title, self._curves(shape, shape.y, shape.band), self._levels(shape, shape.y)
            )
            plots.curves(
                path,
                [panel],
                x_label=self._label(shape.x),
                y_label=self._label(shape.y),
                x_names=self._x_names(shape),
            )

    def _plot_panels(self, path: Path, shape: Figure) -> None:
        drawn = [(y, band) for y, band in shape.panels if y in self.columns and any(map(_is_finite, self[y]))]
        if not drawn:
            raise ArgumentError(" ".join([f'"{self.title}" has no value to draw.', *self.notes]))
        panels = [
            plots.Panel(y, self._curves(shape, y, band), self._levels(shape, y), self.units.get(y, ""))
            for y, band in drawn
        ]
        plots.small_multiples(
            path, panels, x_label=self._label(shape.x), title=self.title, x_names=self._x_names(shape)
        )

    def _x_names(self, shape: Figure) -> list[str]:
        """What stands at the x axis if that is text: layers, and after them mixes."""
        if not pa.types.is_string(self.table.schema.field(shape.x).type):
            return []
        return sorted(dict.fromkeys(self[shape.x]), key=is_mix)

    def _curves(self, shape: Figure, y: str, band: tuple[str, str] | None) -> list[plots.Curve]:
        """A curve of `y` for each value of `series`; mixes, and a layer alone, are points apart."""
        named = [*([shape.series] if shape.series else []), *shape.also]
        differ = [name for name in named if name in self.columns and len(set(self[name])) > 1] or named[:1]
        places = {name: place for place, name in enumerate(self._x_names(shape))}
        series: dict[str, list[dict[str, Any]]] = {}
        for row in self:
            if row[shape.x] is not None:
                series.setdefault(", ".join(str(row[name]) for name in differ), []).append(row)
        curves = []
        for name, rows in series.items():
            n_joined = 0 if len(rows) == 1 else None  # a band about a point would not be seen
            if places:
                rows.sort(key=lambda row: is_mix(row[shape.x]))
                n_joined = sum(not is_mix(row[shape.x]) for row in rows)
            ends_of = [
                end for end in band or () if end in self.columns
            ]  # dropped where nothing was resampled
            xs, ys, *ends = ([row[at] for row in rows] for at in (shape.x, y, *ends_of))
            low, high = ends or (None, None)
            level = None
            if y == shape.y and shape.level in self.columns and not self._levels(shape, y):
                level = (self._label(shape.level), rows[0][shape.level])
            xs = [places.get(x, x) for x in xs]
            curves.append(plots.Curve(name, xs, ys, low, high, n_joined=n_joined, level=level))
        return curves

    def _levels(self, shape: Figure, y: str) -> list[tuple[str, float]]:
        """The height to see all curves of `y` against, if they have one in common."""
        if shape.level not in self.columns or y != shape.y or len(set(self[shape.level])) > 1:
            return []
        return [(self._label(shape.level), self[shape.level][0])]

    def _plot_matrix(self, path: Path, shape: Figure) -> None:
        x, y = shape.x, shape.series
        assert y is not None
        labels = {name: self._label(name) for name in self.columns}
        runs = [self.provenance.get(name) for name in ("run_a", "run_b")]
        for name, run in (("layer_a", runs[0]), ("layer_b", runs[1])):
            labels[name] = f"layer of {run}" if None not in runs and runs[0] != runs[1] else "layer"
        if shape.mark:
            labels[shape.mark] = f"{shape.mark}: in each column, the {labels[x]} most like it"
        cells = plots.Cells(y, x, shape.y, shape.mark)  # rows are rows, as they are printed
        plots.matrix(path, self.table.to_pydict(), cells, labels, self.title)

    def __repr__(self) -> str:
        return self.to_text(SHOWN_ROWS)

    def to_text(self, limit: int | None = None) -> str:
        """The first rows (all, without a limit) as aligned text."""
        from rich.console import Console

        text = io.StringIO()
        # Plain wherever it runs: in a notebook, rich would show the table at once, and in bold.
        console = Console(file=text, width=UNBOUNDED, color_system=None, highlight=False, force_jupyter=False)
        console.print(self.to_rich(limit))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    def to_rich(self, limit: int | None = None) -> Group:
        """The table as rich prints it; a matrix as rows and columns, many measures as several tables."""
        from repstore.arranging import arranged
        from repstore.printing import printed

        return printed(arranged(self, limit))

    def _repr_html_(self) -> str:
        """The first rows, in a notebook; they are the same as in a terminal."""
        from repstore.arranging import arranged
        from repstore.notebook import as_html

        return as_html(arranged(self, SHOWN_ROWS), self.units)

    def _label(self, column: str) -> str:
        unit = self.units.get(column)
        return f"{column} ({unit})" if unit else column


def column_of(values: Sequence[Any]) -> pa.Array:
    """A column whose type does not hang on which values there are; NaN is null."""
    is_float = any(isinstance(value, float) for value in values)
    return pa.array(values, pa.float64() if is_float else None, from_pandas=True)


def table_of_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A table of rows that all have the columns of the first (`column_of`)."""
    return pa.table({name: column_of([row[name] for row in rows]) for name in rows[0]})


def _is_finite(value: Any) -> bool:
    return value is not None and math.isfinite(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):  # pairs of a map
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | None) else str(value)
