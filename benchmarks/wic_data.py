"""The Word-in-Context data that benchmarks run on."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("REPSTORE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def slice_of(folder: Path, **n_pairs: int) -> Path:
    """A WiC folder with the first pairs of some splits.

    Args:
        folder: where to make it.
        n_pairs: how many, by split.
    """
    for split, n in n_pairs.items():
        (folder / split).mkdir(parents=True)
        for kind in ("data", "gold"):
            lines = (
                (DATA / "wic" / split / f"{split}.{kind}.txt").read_text(encoding="utf-8").splitlines(True)
            )
            (folder / split / f"{split}.{kind}.txt").write_text("".join(lines[:n]), encoding="utf-8")
    return folder
