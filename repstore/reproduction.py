"""Reproducing a published study with any model: what is missing is ingested, everything else is asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repstore.analysis.bootstrap import Resampling
from repstore.errors import ArgumentError, NotFoundError, did_you_mean
from repstore.plots import require_matplotlib
from repstore.spec import DTypeChoice, Progress
from repstore.studies import figures, report
from repstore.studies.fantastic_semantics import run_study
from repstore.studies.study import Study

STUDIES = ("fantastic-semantics",)
MARKDOWN, HTML = "report.md", "report.html"


@dataclass(frozen=True)
class Reproduction:
    """A study that was run, and the files it was written into."""

    study: Study
    files: tuple[Path, ...]


def reproduce(
    study: Literal["fantastic-semantics"],
    store: str | Path,
    *,
    model: str | Path,
    wic: str | Path,
    out: str | Path,
    contrast: str | Path | None = None,
    rawc: str | Path | None = None,
    prompt_quirk: bool = False,
    dtype: DTypeChoice = "auto",
    device: str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Reproduction:
    """Ask of a model what "Fantastic Semantics and Where to Find Them" (Liu et al. 2024) asked of Llama2.

    Runs that the store lacks are ingested, the development and test pairs of Word-in-Context only; a run of
    the same model, corpus and template that is there is used as it is. The rest are queries.

    Args:
        study: which study.
        store: folder of the store; made if it does not exist.
        model: a decoder, as `repstore.ingest` takes it.
        wic: folder of Word-in-Context.
        out: folder for ``report.md``, ``report.html``, the figures, ``scores.csv`` and ``study.json``.
        contrast: a masked language model to compare with.
        rawc: file of RAW-C.
        prompt_quirk: also run the prompts as the released code does, whose two sides differ by a colon.
        dtype: of the forward passes; ``auto`` takes runs that are there in any.
        device: where the models run.
        resamples: for intervals.
        seed: decides them.
        progress: told what is done.

    Raises:
        NotFoundError: no such study.
        ArgumentError: something given cannot be used.
        MissingExtraError: matplotlib is not installed; or torch is not, and something has to be ingested.
        CorpusError, ModelError, StoreError: as `repstore.ingest` raises them.
    """
    if study not in STUDIES:
        raise NotFoundError(f'No study "{study}". {did_you_mean(study, STUDIES)}')
    if contrast == model:
        raise ArgumentError(f"{model} cannot be its own contrast. Give a masked language model, or none.")
    if resamples < 1:
        raise ArgumentError(f"resamples is {resamples}; the study needs intervals, so at least 1.")
    folder = Path(out)
    for place in (folder, *folder.absolute().parents):
        if place.is_file():
            raise ArgumentError(f"{place} is a file. Give a folder for the report.")
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if not os.access(there, os.W_OK):
        raise ArgumentError(f"Cannot write into {there}. Give another folder for the report.")
    require_matplotlib()  # now, not after the forward passes
    found = run_study(
        Path(store),
        model=str(model),
        contrast=None if contrast is None else str(contrast),
        wic=wic,
        rawc=rawc,
        prompt_quirk=prompt_quirk,
        dtype=dtype,
        device=device,
        resampling=Resampling(resamples, seed),
        progress=progress,
    )
    progress(Progress("Writing the report"))
    try:
        return Reproduction(found, write_report(found, folder))
    except OSError as error:
        raise ArgumentError(f"Cannot write into {folder}: {error.strerror}.") from None


def write_report(study: Study, folder: Path) -> tuple[Path, ...]:
    """Write the page in Markdown and in HTML, the figures, and the numbers. Returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    study.save(folder)
    captions = figures.draw(study, folder)
    markdown = report.to_markdown(study, captions)
    (folder / MARKDOWN).write_text(markdown, encoding="utf-8")
    (folder / HTML).write_text(report.to_html(markdown, folder), encoding="utf-8")
    return tuple(folder / name for name in (MARKDOWN, HTML, *captions, "scores.csv", "study.json"))
