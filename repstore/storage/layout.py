"""Where everything in a store stands. The only module that spells a file name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repstore.storage.files import TEMPORARY

ENTRY = re.compile(r"part-\d{5,}\.json")
INDEX_INFO = re.compile(r"layer-(\d{2,})-(none|center|corpus)\.json")
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
FROZEN_NAME = re.compile(_NAME)

FrozenKind = Literal["transform", "probe", "mix"]
"""What is fitted on words of a run and kept under a name."""

FROZEN_FOLDERS: dict[FrozenKind, str] = {"transform": "transforms", "probe": "probes", "mix": "mixes"}
"""Where each kind stands in the folder of its run."""

FROZEN_ARRAYS: dict[FrozenKind, str] = {
    "transform": r"words\.npy|layer-\d{2,}\.npz",
    "probe": r"words\.npy|layer-\d{2,}\.npz",
    "mix": r"words\.npy|mix\.npz",
}
"""Names of the files of each kind, beside the JSON file that makes it count, as regular expressions."""

RESULTS = "results"
"""Folder of the results that are kept."""

RESULT_FILES = r"rows\.parquet|made\.json"
"""Names of the files of a result, beside the JSON file that makes it count, as a regular expression."""

_ARRAYS = "|".join(rf"{folder}/{_NAME}/({FROZEN_ARRAYS[kind]})" for kind, folder in FROZEN_FOLDERS.items())
_INFOS = "|".join(rf"{folder}/{_NAME}/{kind}\.json" for kind, folder in FROZEN_FOLDERS.items())
UNFINISHED = re.compile(
    r"((store\.json|catalog\.(duckdb|json)|corpora/\w+|runs/\w+/run\.json"
    r"|runs/\w+/(parts|skipped|manifest)/part-\d+\.(parquet|json)"
    r"|runs/\w+/index/layer-\d+-\w+\.(faiss|json)"
    rf"|runs/\w+/({_INFOS}|{_ARRAYS})|results/{_NAME}/(result\.json|{RESULT_FILES}))"
    + re.escape(TEMPORARY)
    + ")"
    r"|runs/\w+/index/layer-\d+-\w+-[0-9a-f]{8}\.faiss$"
    rf"|runs/\w+/({_ARRAYS})$|results/{_NAME}/({RESULT_FILES})$"
)
"""Names under which files and folders are written before they are renamed or a JSON file names them.

A folder that has no name of ours is somebody else's, be it what they moved away: nothing in it is removed.
"""

DERIVED = re.compile(rf"catalog\.|results/|runs/\w+/(index|{'|'.join(FROZEN_FOLDERS.values())})/")
"""Names of what is derived from the rest, and replaced."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths inside the store at `root`."""

    root: Path

    @property
    def marker(self) -> Path:
        """``store.json``: the format version, written once."""
        return self.root / "store.json"

    @property
    def catalog(self) -> Path:
        """``catalog.duckdb``: derived, replaced by rename."""
        return self.root / "catalog.duckdb"

    @property
    def catalog_digest(self) -> Path:
        """``catalog.json``: the SHA-256 of the catalog, by which damage is found."""
        return self.root / "catalog.json"

    @property
    def quarantine(self) -> Path:
        """Where repair moves what is damaged."""
        return self.root / "quarantine"

    @property
    def lock(self) -> Path:
        """Held by the one writer."""
        return self.root / "writer.lock"

    @property
    def lock_holder(self) -> Path:
        """``writer.json``: which process holds the lock."""
        return self.root / "writer.json"

    @property
    def corpora(self) -> Path:
        """Folder of all corpora."""
        return self.root / "corpora"

    @property
    def runs(self) -> Path:
        """Folder of all runs."""
        return self.root / "runs"

    @property
    def results(self) -> Path:
        """Folder of all results that are kept."""
        return self.root / RESULTS

    def corpus(self, corpus_id: str) -> CorpusLayout:
        """Paths of one corpus."""
        return CorpusLayout(self.corpora / corpus_id)

    def run(self, run_id: str) -> RunLayout:
        """Paths of one run."""
        return RunLayout(self.runs / run_id)

    def result(self, name: str) -> ResultLayout:
        """Paths of a result that is kept under a name."""
        return ResultLayout(self.results / name)

    def all_runs(self) -> list[RunLayout]:
        """The runs that are there, in order of their ids: those with a ``run.json``."""
        found = (self.run(folder.name) for folder in sorted(self.runs.glob("*")))
        return [run for run in found if run.info.exists()]

    def all_results(self) -> list[ResultLayout]:
        """The results that count, in order of their names: those with a file that says so."""
        names = sorted(path.name for path in self.results.glob("*"))
        found = [self.result(name) for name in names if FROZEN_NAME.fullmatch(name)]
        return [one for one in found if one.info.is_file()]


@dataclass(frozen=True, slots=True)
class CorpusLayout:
    """Paths inside ``corpora/<corpus_id>``."""

    root: Path

    @property
    def info(self) -> Path:
        """``corpus.json``."""
        return self.root / "corpus.json"

    @property
    def texts(self) -> Path:
        """``texts.parquet``."""
        return self.root / "texts.parquet"

    @property
    def words(self) -> Path:
        """``words.parquet``."""
        return self.root / "words.parquet"

    @property
    def pairs(self) -> Path:
        """``pairs.parquet``."""
        return self.root / "pairs.parquet"

    @property
    def edges(self) -> Path:
        """``edges.parquet``."""
        return self.root / "edges.parquet"

    @property
    def tables(self) -> dict[str, Path]:
        """All tables by the name that they have in the catalog."""
        return {"texts": self.texts, "words": self.words, "pairs": self.pairs, "edges": self.edges}


@dataclass(frozen=True, slots=True)
class RunLayout:
    """Paths inside ``runs/<run_id>``."""

    root: Path

    @property
    def info(self) -> Path:
        """``run.json``."""
        return self.root / "run.json"

    @property
    def manifest(self) -> Path:
        """Folder with one file per committed part."""
        return self.root / "manifest"

    def entry(self, part: int) -> Path:
        """The file whose existence commits a part."""
        return self.manifest / f"part-{part:05d}.json"

    def entries(self) -> list[Path]:
        """The files that commit parts, in order; not a copy that somebody made beside them."""
        return sorted(path for path in self.manifest.glob("*") if ENTRY.fullmatch(path.name))

    def part(self, part: int) -> Path:
        """The vectors of a part."""
        return self.root / "parts" / f"part-{part:05d}.parquet"

    def skipped(self, part: int) -> Path:
        """The words of a part that have no vector."""
        return self.root / "skipped" / f"part-{part:05d}.parquet"

    @property
    def indexes(self) -> Path:
        """Folder of the indexes, all of them derived."""
        return self.root / "index"

    def index_info(self, layer: int, frame: str) -> Path:
        """The file that says which index of a layer counts."""
        return self.indexes / f"layer-{layer:02d}-{frame}.json"

    def index_infos(self) -> list[Path]:
        """The files that make indexes count, in order of their names."""
        return sorted(path for path in self.indexes.glob("*") if INDEX_INFO.fullmatch(path.name))

    def editions(self, info: Path) -> list[Path]:
        """The FAISS files of a layer, whether its `index_info` names them or not."""
        return sorted(self.indexes.glob(f"{info.stem}-*.faiss"))

    def index(self, layer: int, frame: str, edition: str) -> Path:
        """A FAISS file; an index built anew is another edition."""
        return self.indexes / f"layer-{layer:02d}-{frame}-{edition}.faiss"

    def frozen(self, kind: FrozenKind, name: str) -> FrozenLayout:
        """Paths of what is frozen under a name."""
        return FrozenLayout(self, kind, name)

    def all_frozen(self, kind: FrozenKind) -> list[FrozenLayout]:
        """Those of a kind that count, in order of their names: those with a file that says so."""
        names = sorted(path.name for path in (self.root / FROZEN_FOLDERS[kind]).glob("*"))
        found = [self.frozen(kind, name) for name in names if FROZEN_NAME.fullmatch(name)]
        return [one for one in found if one.info.exists()]


@dataclass(frozen=True, slots=True)
class FrozenLayout:
    """Paths of what is frozen: inside ``runs/<run_id>/transforms/<name>``, for a transform.

    Attributes:
        run: the run that it is of.
        kind: what it is.
        name: what it is called.
    """

    run: RunLayout
    kind: FrozenKind
    name: str

    @property
    def root(self) -> Path:
        """Its folder."""
        return self.run.root / FROZEN_FOLDERS[self.kind] / self.name

    @property
    def info(self) -> Path:
        """``transform.json``, for a transform: makes it count."""
        return self.root / f"{self.kind}.json"

    @property
    def words(self) -> Path:
        """The words that it was fitted on."""
        return self.root / "words.npy"

    def layer(self, layer: int) -> Path:
        """The arrays of a layer of a transform or probe."""
        return self.root / f"layer-{layer:02d}.npz"

    @property
    def mix(self) -> Path:
        """The arrays of a mix."""
        return self.root / "mix.npz"

    def files(self) -> list[Path]:
        """All its files that are there, whether the `info` names them or not, and unfinished ones."""
        return _files(self.root, rf"{self.kind}\.json|{FROZEN_ARRAYS[self.kind]}")


@dataclass(frozen=True, slots=True)
class ResultLayout:
    """Paths inside ``results/<name>``."""

    root: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.root.name

    @property
    def info(self) -> Path:
        """``result.json``: makes it count."""
        return self.root / "result.json"

    @property
    def rows(self) -> Path:
        """``rows.parquet``."""
        return self.root / "rows.parquet"

    @property
    def made(self) -> Path:
        """``made.json``: when, how and by what; all that may differ when the same is asked again."""
        return self.root / "made.json"

    def files(self) -> list[Path]:
        """All its files that are there, whether the `info` names them or not, and unfinished ones."""
        return _files(self.root, rf"result\.json|{RESULT_FILES}")


def _files(folder: Path, names: str) -> list[Path]:
    """The files in a folder that have one of these names (a regular expression), and unfinished ones."""
    one = re.compile(f"({names})({re.escape(TEMPORARY)})?")
    return sorted(path for path in folder.glob("*") if one.fullmatch(path.name))
