"""What a study found, and its files."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from repstore.studies.findings import Finding
from repstore.studies.questions import Arithmetic

TEXT = {"role", "corpus", "template", "standardize", "threshold_rule", "pos", "metric", "best"}
"""Columns of ``scores.csv`` that are no numbers."""


@dataclass(frozen=True)
class Study:
    """What came out.

    Attributes:
        about: what was run: models, corpora, pairs, seed.
        findings: the claims of the paper, and whether they hold.
        scores: one row per question and layer.
    """

    about: Mapping[str, Any]
    findings: tuple[Finding, ...]
    scores: tuple[Mapping[str, Any], ...]

    def curve(
        self, role: str, corpus: str, template: str, arithmetic: Arithmetic, pos: str = "all"
    ) -> list[Mapping[str, Any]]:
        """The answer to one question, by layer; none if it was not asked."""
        how = (arithmetic.standardize, arithmetic.threshold)
        wanted = (role, corpus, template, *how, pos)
        keys = ("role", "corpus", "template", "standardize", "threshold_rule", "pos")
        return [row for row in self.scores if tuple(row[key] for key in keys) == wanted]

    def save(self, folder: Path) -> None:
        """Write ``study.json`` and ``scores.csv``."""
        rest = {"about": dict(self.about), "findings": [asdict(finding) for finding in self.findings]}
        text = json.dumps(rest, indent=2, ensure_ascii=False) + "\n"
        (folder / "study.json").write_text(text, encoding="utf-8")
        with (folder / "scores.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.scores[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(self.scores)

    @classmethod
    def load(cls, folder: Path) -> Study:
        """Read what `save` wrote."""
        rest = json.loads((folder / "study.json").read_text(encoding="utf-8"))
        findings = tuple(Finding(**finding) for finding in rest["findings"])
        with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
            scores = tuple(
                {key: _parsed(key, value) for key, value in row.items()} for row in csv.DictReader(file)
            )
        return cls(rest["about"], findings, scores)


def _parsed(column: str, value: str) -> Any:
    if not value:
        return None
    if column in TEXT:
        return value
    return int(value) if column == "layer" else float(value)
