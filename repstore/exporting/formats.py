"""The formats that vectors go out in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from repstore.errors import ArgumentError, check_choice, did_you_mean
from repstore.exporting.anndata import write_h5ad
from repstore.exporting.content import Content
from repstore.exporting.datasets import write_datasets
from repstore.exporting.npy import write_npy
from repstore.exporting.parquet import companion, write_atlas, write_parquet
from repstore.exporting.projector import write_projector
from repstore.exporting.safetensors import write_safetensors
from repstore.spec import ExportFormat, StoredDType
from repstore.storage.pairs import pairs_beside

AS_STORED: tuple[StoredDType | None, ...] = (None, "float16", "float32")


@dataclass(frozen=True, slots=True)
class Format:
    """A format.

    Attributes:
        name: what it is called.
        suffix: how its files are called; None: it is a folder.
        write: writes a content to a path, and perhaps more files beside it.
        dtypes: which dtypes it takes, the first unless another is asked for; None is each layer's own.
        opens: how its files are opened, with ``{out}`` for the path.
        words_beside: whether it holds vectors only, and the words go into a file beside it.
        with_pairs: whether pairs of its words, if there are any, go into a file beside it.
        layers: how many layers it takes at most.
        growth: about how many bytes of disk a byte of vectors takes while it is written.
    """

    name: ExportFormat
    suffix: str | None
    write: Callable[[Content, Path], None]
    dtypes: tuple[StoredDType | None, ...]
    opens: str
    words_beside: bool = False
    with_pairs: bool = False
    layers: int | None = None
    growth: int = 1

    def files(self, out: Path, has_pairs: bool) -> list[Path]:
        """What will be at `out` and beside it; that itself comes last."""
        words = [companion(out)] if self.words_beside else []
        pairs = [pairs_beside(out)] if self.with_pairs and has_pairs else []
        return [*words, *pairs, out]


FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        Format(
            "parquet",
            ".parquet",
            write_parquet,
            ("float32", "float16"),
            'pyarrow.parquet.read_table("{out}")',
            with_pairs=True,
        ),
        Format("npy", ".npy", write_npy, AS_STORED, 'numpy.load("{out}", mmap_mode="r")', words_beside=True),
        Format("h5ad", ".h5ad", write_h5ad, ("float32",), 'anndata.read_h5ad("{out}")'),
        Format(
            "safetensors",
            ".safetensors",
            write_safetensors,
            AS_STORED,
            'safetensors.numpy.load_file("{out}")',
            words_beside=True,
        ),
        Format(
            "datasets",
            None,
            write_datasets,
            AS_STORED,
            'datasets.load_from_disk("{out}")',
            with_pairs=True,
        ),
        Format("projector", None, write_projector, ("float32",), "tensorboard --logdir {out}", growth=3),
        Format(
            "atlas",
            ".parquet",
            write_atlas,
            ("float32",),
            "embedding-atlas {out} --text in_text --vector vector",
            layers=1,
        ),
    )
}
"""The formats by their names; of two with one suffix, the suffix means the first."""


def format_of(out: Path, named: str | None) -> Format:
    """The format of what will be at `out`: as it is named, or as the suffix says.

    Raises:
        ArgumentError: there is no such format, or the suffix is of another.
    """
    suffix = out.suffix.lower()
    of_suffix = {one.suffix: one for one in reversed(FORMATS.values()) if one.suffix}
    if named is not None:
        check_choice("format", named, FORMATS)
        found = FORMATS[named]
        if found.suffix is None and suffix in of_suffix:
            raise ArgumentError(f'"{named}" is a folder, and {out} is named like a file. Leave out {suffix}.')
        if found.suffix is not None and suffix != found.suffix:
            raise ArgumentError(f'"{named}" is a file that ends in {found.suffix}; {out} does not.')
        return found
    if suffix in of_suffix:
        return of_suffix[suffix]
    folders = " or ".join(one.name for one in FORMATS.values() if one.suffix is None)
    raise ArgumentError(
        f"{out} has no suffix that says what it will be. Name the format: {folders} is a folder, "
        f"and files end in {', '.join(of_suffix)}."
        if not suffix
        else f'No format has the suffix "{suffix}". {did_you_mean(suffix, of_suffix)}'
    )
