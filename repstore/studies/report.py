"""The report of the study: one page in Markdown, and the same page in HTML with its figures inside."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

from repstore.studies.questions import (
    ARITHMETICS,
    PAPER,
    PROMPTS_WITH_COLON,
    SOUND,
    TEMPLATES,
    UNSTANDARDIZED,
    Arithmetic,
)
from repstore.studies.study import Study

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
img { max-width: 100%; } table { border-collapse: collapse; margin: 1rem 0; font-size: 14px; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
code { background: #f4f4f4; padding: 0 .2em; }
"""
METHOD = (
    "Here layers are chosen on the development pairs and compared on the test pairs, with vectors "
    "standardized over the corpus and the exact threshold, unless a claim says otherwise. Brackets hold 95 % "
    "bootstrap intervals over the test pairs. A claim cannot be told where the interval that decides holds "
    "0. The published figures are the best of the test pairs, which flatters them a little."
)
COLUMNS = (
    "*layer*: the best on the development pairs. *best on test, and as good*: the layers whose difference to "
    "the best test accuracy has an interval that holds 0, one comparison at a time."
)
COLON = """
- **A colon.** On Word-in-Context the released code puts a colon after "in this sentence" in the second
  sentence of a pair, and none in the first, so the two sides are prompted differently. Here both have
  none{with_colon}.
"""
FULL_STOP = """
- **A full stop for a word.** Under `repeat_prev` the word before the first word of a sentence is the last of
  the first copy, mostly its full stop. That is so for {n_first_words:,} of the {n_sides:,} words of these
  pairs.
"""
FINAL_NORM = """
- **The final norm.** The last layer is read after the model's final norm (`{last_layer}`), the others before
  it, as transformers returns them; so it is here.
"""
LAYER_0 = """
- **Layer 0 of a prompt.** The last symbol is the same in every prompt, and so is its embedding: all cosines
  are equal, and accuracy is that of one answer for all, {prompt_layer_0:.3f} here.
"""
GRID = """
- **The grid.** Thresholds are 0.00, 0.05, ... 0.95, the first best on the development pairs, and a cosine
  must exceed it; `grid` does the same. Where all cosines are above 0.95, no threshold of the grid tells them
  apart: so it is, without standardization, at {n_above:,} of {n_layers} layers of prompt1 and prompt2.
"""
OTHERS = """
- **Batches.** Means and deviations are over 30 pairs in the order of the file, each side apart, and the last
  batch is shorter; a part of speech is filtered first and batched afterwards. `batch30` does the same.
- **Words to tokens.** The released code tokenizes each word by itself and counts; repstore tokenizes the
  whole text once and goes by characters. The vectors are the same where both find the same tokens.
- **RAW-C.** The released code sets a blank before the last character of every sentence of RAW-C, and prompts
  it with other colons than Word-in-Context. Here RAW-C is read as it is, with the same prompts.
"""


def to_markdown(study: Study, figures: Mapping[str, str]) -> str:
    """The page. `figures` are captions by the names of files beside it."""
    about = study.about
    return (
        "\n\n".join(
            [
                f'# "Fantastic Semantics" with {about["model"]["name"]}',
                _introduction(about),
                "## What holds",
                _summary(study),
                _table(
                    ["claim of the paper", "published", "here", "verdict"],
                    [(f.claim, f.published, f.here, f"**{f.verdict}**") for f in study.findings],
                ),
                METHOD,
                *_section("Word-in-Context", figures, "templates.png"),
                _best_table(study, [("model", template, "all") for template in TEMPLATES]),
                COLUMNS,
                *_section("Nouns and verbs", figures, "parts_of_speech.png"),
                _best_table(study, [("model", t, pos) for t in TEMPLATES for pos in ("noun", "verb")]),
                _few_pairs(study.about),
                *_contrast(study, figures),
                *_ratings(study, figures),
                *_section("Thresholds", figures, "thresholds.png"),
                "Thresholds of the paper's grid by layer (`batch30`, chosen on the development pairs):",
                _layer_table(study, PAPER, "threshold", ".2f"),
                "## Accuracy by layer",
                "Standardized over the corpus, exact threshold:",
                _layer_table(study, SOUND, "score", ".3f"),
                "## Quirks of the released code",
                _quirks(study),
                "All scores of all layers, with thresholds, AUC and correlations, are in `scores.csv`.",
            ]
        )
        + "\n"
    )


def to_html(markdown: str, folder: Path) -> str:
    """The page as one HTML file that needs no other: figures are inside."""
    title = escape(markdown.splitlines()[0].removeprefix("# "))
    body = MarkdownIt("commonmark").enable("table").render(markdown)

    def inside(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    body = re.sub(r'src="([^"]+\.png)"', inside, body)
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}</body>\n</html>\n"
    )


def _introduction(about: Mapping[str, Any]) -> str:
    text = (
        "Liu, Kong, Liu and Sun (Findings of ACL 2024, arXiv 2403.01509) asked at which layers of Llama2 the "
        "cosine of two uses of a word tells whether they have the same sense. These are their experiments "
        f"with {_model(about['model'])}"
    )
    if about["contrast"]:
        text += f", and {_model(about['contrast'])} for contrast"
    text += (
        f". Thresholds are chosen on {about['n_dev_all']:,} pairs of Word-in-Context and scored on "
        f"{about['n_scored']:,} others"
    )
    if about["n_scored"] < about["n_test_all"]:
        text += f" (of {about['n_test_all']:,}: the rest has a word without a vector)"
    if about["n_rated"]:
        text += f"; {about['n_rated']:,} pairs of RAW-C have human ratings of relatedness"
    text += f". Vectors are standardized over the {about['n_words']:,} words of corpus {about['corpus']}"
    return text + f". Intervals are of {about['resamples']:,} resamples of the pairs (seed {about['seed']})."


def _few_pairs(about: Mapping[str, Any]) -> str:
    return (
        f"Layers and thresholds of nouns are chosen on {about['n_dev_noun']:,} pairs and those of verbs on "
        f"{about['n_dev_verb']:,} only: look at all the layers that are as good, not at the one."
    )


def _summary(study: Study) -> str:
    verdicts = [finding.verdict for finding in study.findings]
    counts = ", ".join(f"{verdict}: {verdicts.count(verdict)}" for verdict in dict.fromkeys(verdicts))
    name = study.about["model"]["name"]
    return f"{len(verdicts)} claims about Llama2, tested with {name}. {counts.capitalize()}."


def _model(model: Mapping[str, Any]) -> str:
    return (
        f"{model['name']} ({model['n_layers'] - 1} blocks, width {model['d_model']}, run in {model['dtype']})"
    )


def _section(title: str, figures: Mapping[str, str], file: str) -> list[str]:
    return [f"## {title}", f"![{title}]({file})", f"*{figures[file]}*"]


def _contrast(study: Study, figures: Mapping[str, str]) -> list[str]:
    if "contrast.png" not in figures:
        return []
    return [
        *_section("A masked language model for contrast", figures, "contrast.png"),
        _best_table(study, [("contrast", "base", pos) for pos in ("all", "noun", "verb")]),
        "A sentence encoder that was made from a masked language model, as MiniLM was, has been trained "
        "further, so that its last layers serve whole sentences.",
    ]


def _ratings(study: Study, figures: Mapping[str, str]) -> list[str]:
    if "ratings.png" not in figures:
        return []
    rows = []
    for role, template in [*(("model", template) for template in TEMPLATES), ("contrast", "base")]:
        for how in ARITHMETICS:
            curve = study.curve(role, "rawc", template, how)
            if curve:
                at = max(curve, key=lambda row: -1 if row["score"] is None else row["score"])
                name = study.about[role]["name"]
                last = _scored(curve[-1])
                rows.append(
                    (name, template, how.standardize, str(at["layer"]), _scored(at), _good(curve), last)
                )
    head = ["model", "template", "standardize", "best layer", "Spearman", "as good", "last layer"]
    return [
        *_section("Human ratings", figures, "ratings.png"),
        _table(head, rows),
        "RAW-C has no development pairs: the best layer is the best on the pairs it is scored on. Its pairs "
        "share few words, and intervals take them as independent, so they are too short.",
    ]


def _best_table(study: Study, of: Iterable[tuple[str, str, str]]) -> str:
    """For each role, template and part of speech: the layer chosen on dev, by each arithmetic."""
    rows = []
    for role, template, pos in of:
        for how in ARITHMETICS:
            curve = study.curve(role, "wic", template, how, pos)
            at = max(curve, key=lambda row: row["selection"])
            name = template if pos == "all" else f"{template}, {pos}s"
            chosen = (str(at["layer"]), _scored(at), f"{at['auc']:.3f}")
            rows.append((name, how.name, *chosen, _good(curve), _scored(curve[-1])))
    head = ["template", "arithmetic", "layer", "accuracy", "AUC", "best on test, and as good", "last layer"]
    return _table(head, rows)


def _layer_table(study: Study, how: Arithmetic, column: str, style: str) -> str:
    curves = [study.curve("model", "wic", template, how) for template in TEMPLATES]
    rows = [
        (str(layer), *(format(curve[layer][column], style) for curve in curves))
        for layer in range(len(curves[0]))
    ]
    return _table(["layer", *TEMPLATES], rows)


def _quirks(study: Study) -> str:
    about, with_colon = study.about, " (`--prompt-quirk` asks for both ways)"
    if about["has_quirk"]:
        found = []
        for name in PROMPTS_WITH_COLON:
            curve = study.curve("model", "wic", name, PAPER)
            at = max(curve, key=lambda row: row["selection"])
            found.append(f"{name.removesuffix('_colon')}: {_scored(at)} at layer {at['layer']}")
        with_colon = f"; with it, by the arithmetic of the paper, {', '.join(found)}"
    prompts = [row for t in ("prompt1", "prompt2") for row in study.curve("model", "wic", t, UNSTANDARDIZED)]
    facts = {
        "with_colon": with_colon,
        "n_first_words": about["n_first_words"],
        "n_sides": 2 * (about["n_dev_all"] + about["n_test_all"]),
        "last_layer": about["model"]["layers"][-1],
        "prompt_layer_0": about["prompt_layer_0"],
        "n_above": sum(row["threshold"] == 0 for row in prompts),
        "n_layers": len(prompts),
    }
    blocks, last = (re.sub(r"\d+", "", name) for name in about["model"]["layers"])
    lines = [COLON, FULL_STOP, FINAL_NORM if last != blocks else "", GRID, OTHERS]
    if about["prompt_layer_0"] is not None:
        lines.insert(3, LAYER_0)
    return "\n".join(line.strip() for line in lines if line).format(**facts)


def _scored(row: Mapping[str, Any]) -> str:
    if row["score"] is None:
        return ""
    interval = "" if row["low"] is None else f" [{row['low']:.3f}, {row['high']:.3f}]"
    return f"{row['score']:.3f}{interval}"


def _good(curve: Sequence[Mapping[str, Any]]) -> str:
    """The layers that are best or as good, as ranges."""
    layers = [row["layer"] for row in curve if row["best"]]
    runs: list[list[int]] = []
    for layer in layers:
        if runs and runs[-1][-1] == layer - 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
