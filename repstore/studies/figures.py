"""The figures of the study: this model's curves over those of the paper, by relative depth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repstore import plots
from repstore.plots import Curve, Panel
from repstore.studies.published import BERT, LLAMA, published
from repstore.studies.questions import ARITHMETICS, PAPER, SOUND, TEMPLATES, UNSTANDARDIZED, Arithmetic
from repstore.studies.study import Study

DEPTH = "depth (0: embeddings, 1: last layer)"
ACCURACY = "accuracy"


def draw(study: Study, folder: Path) -> dict[str, str]:
    """Draw all figures into a folder. Returns the caption of each, by file name."""
    name = study.about["model"]["name"]
    drawn = {}

    def add(file: str, caption: str, panels: Sequence[Panel], y_label: str = ACCURACY) -> None:
        plots.curves(folder / file, panels, x_label=DEPTH, y_label=y_label)
        drawn[file] = caption

    add(
        "templates.png",
        f"Word-in-Context accuracy of {name} by template: standardized over the corpus, with the exact "
        "threshold (and 95 % bands), and by the arithmetic of the paper. Gray: Llama-2-7B as published.",
        [_by_arithmetic(study, template) for template in TEMPLATES],
    )
    add(
        "parts_of_speech.png",
        "Nouns (above) and verbs (below), in the same way.",
        [_by_arithmetic(study, t, pos) for pos in ("noun", "verb") for t in ("base", "repeat", "prompt2")],
    )
    if study.about["contrast"]:
        add(
            "contrast.png",
            "The decoder beside the masked language model, standardized over the corpus, with the exact "
            "threshold. Gray: Llama-2-7B (repeat, batch30) and BERT-large (standardization not stated).",
            [_contrast(study)],
        )
    if study.about["n_rated"]:
        add(
            "ratings.png",
            "Spearman's correlation of cosines with the ratings of RAW-C, standardized over the corpus. No "
            "such figures by layer were released. Where all cosines are equal there is no point.",
            [Panel("RAW-C", _ratings(study))],
            "Spearman's correlation",
        )
    add(
        "thresholds.png",
        "The threshold chosen at every layer: from the grid of the paper, and exactly. It is 0 where no "
        "threshold of the grid tells pairs apart.",
        [
            Panel(
                template,
                [_curve(study, how.name, template, how, y="threshold", band=False) for how in ARITHMETICS],
            )
            for template in TEMPLATES
        ],
        "threshold (cosine)",
    )
    return drawn


def _by_arithmetic(study: Study, template: str, pos: str = "all") -> Panel:
    lines = [_curve(study, how.name, template, how, pos=pos, band=how is SOUND) for how in ARITHMETICS]
    for how in (PAPER, UNSTANDARDIZED):
        lines += _reference(f"Llama-2-7B ({how.standardize})", LLAMA, template, how.standardize, pos)
    return Panel(template if pos == "all" else f"{template}, {pos}s", lines, [("chance", 0.5)])


def _contrast(study: Study) -> Panel:
    model, contrast = study.about["model"]["name"], study.about["contrast"]["name"]
    lines = [
        _curve(study, f"{model}, repeat", "repeat", SOUND),
        _curve(study, f"{model}, base", "base", SOUND),
        _curve(study, f"{contrast}, base", "base", SOUND, role="contrast"),
        *_reference("Llama-2-7B, repeat", LLAMA, "repeat"),
        *_reference("BERT-large", BERT, "base", "unknown"),
    ]
    return Panel("", lines, [("chance", 0.5)])


def _ratings(study: Study) -> list[Curve]:
    lines = [_curve(study, template, template, SOUND, corpus="rawc") for template in TEMPLATES]
    if study.about["contrast"]:
        name = study.about["contrast"]["name"]
        lines.append(_curve(study, f"{name}, base", "base", SOUND, role="contrast", corpus="rawc"))
    return lines


def _curve(
    study: Study,
    label: str,
    template: str,
    arithmetic: Arithmetic,
    *,
    role: str = "model",
    corpus: str = "wic",
    pos: str = "all",
    y: str = "score",
    band: bool = True,
) -> Curve:
    rows = study.curve(role, corpus, template, arithmetic, pos)
    depth = np.linspace(0, 1, len(rows)).tolist()
    low, high = ([row[end] for row in rows] if band else None for end in ("low", "high"))
    return Curve(label, depth, [row[y] for row in rows], low, high)


def _reference(
    label: str, model: str, template: str, standardize: str = "batch30", pos: str = "all"
) -> list[Curve]:
    """A published curve, if it was released."""
    found = published(model, template, standardize, pos)
    if found is None:
        return []
    depth = np.linspace(0, 1, len(found.accuracy)).tolist()
    return [Curve(label, depth, found.accuracy.tolist(), is_reference=True)]
