"""The structural probe of every layer: are distances of words those of their tree, under a linear map?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis.bootstrap import Resampling
from repstore.analysis.divisions import Division, divide
from repstore.analysis.inputs import WordInputs
from repstore.analysis.tallies import Tally
from repstore.analysis.trees import (
    LENGTHS,
    Sentence,
    TreeScores,
    chain_distances,
    control_heads,
    tree_distances,
    tree_scores,
)
from repstore.errors import ArgumentError, ResultError
from repstore.results import Figure, ResultTable, column_of
from repstore.sampling import check_memory, check_sample, meeting, sampled
from repstore.spec import Progress
from repstore.storage.edges import FoundEdges
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting
from repstore.telling import Told
from repstore.trained_tables import scored, units_of


@dataclass(frozen=True, slots=True)
class StructuralProbe:
    """What is asked of the trees of a corpus.

    Attributes:
        edges: of which kind; None if the corpus has one kind.
        rank: of the linear map, at most; None: as the probe has it.
        where: only sentences all of whose words meet this SQL condition; None for all.
        sample: so many sentences; None for all.
        n_seeds, seed: how many seeds, and the first.
        resamples: of the intervals over sentences.
        memory: bytes to work in.
    """

    edges: str | None
    rank: int | None
    sample: int | None
    n_seeds: int
    seed: int
    resamples: int
    memory: int

    def __post_init__(self) -> None:
        check_sample(self.sample, self.seed, 3)
        check_memory(self.memory)
        for name, least in (("n_seeds", 1), ("resamples", 0), ("rank", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ArgumentError(f"{name} is {value}; it is at least {least}.")
