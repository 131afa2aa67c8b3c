"""Where everything in a store stands. The only module that spells a file name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from repstore.storage.files import TEMPORARY

ENTRY = re.compile(r"part-\d{5,}\.json")
INDEX_INFO = re.compile(r"layer-(\d{2,})-(none|center|corpus)\.json")
TRANSFORM_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TRANSFORM_FILE = re.compile(r"(transform\.json|words\.npy|layer-\d{2,}\.npz)(" + re.escape(TEMPORARY) + ")?")


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

    def corpus(self, corpus_id: str) -> CorpusLayout:
        """Paths of one corpus."""
        return CorpusLayout(self.corpora / corpus_id)

    def run(self, run_id: str) -> RunLayout:
        """Paths of one run."""
        return RunLayout(self.runs / run_id)


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

    @property
    def transforms(self) -> Path:
        """Folder of the transforms, each in a folder of its name."""
        return self.root / "transforms"

    def transform(self, name: str) -> TransformLayout:
        """Paths of one transform."""
        return TransformLayout(self.transforms / name)

    def transform_layouts(self) -> list[TransformLayout]:
        """The transforms that count, in order of their names: those with a file that says so."""
        found = [TransformLayout(path) for path in sorted(self.transforms.glob("*"))]
        return [one for one in found if TRANSFORM_NAME.fullmatch(one.name) and one.info.exists()]


@dataclass(frozen=True, slots=True)
class TransformLayout:
    """Paths inside ``runs/<run_id>/transforms/<name>``."""

    root: Path

    @property
    def name(self) -> str:
        """What it is called."""
        return self.root.name

    @property
    def run(self) -> RunLayout:
        """The run that it is of."""
        return RunLayout(self.root.parent.parent)

    @property
    def info(self) -> Path:
        """``transform.json``: makes the transform count."""
        return self.root / "transform.json"

    @property
    def words(self) -> Path:
        """The words that it was fitted on."""
        return self.root / "words.npy"

    def layer(self, layer: int) -> Path:
        """The map of a layer."""
        return self.root / f"layer-{layer:02d}.npz"

    def files(self) -> list[Path]:
        """All its files that are there, whether the `info` names them or not, and unfinished ones."""
        return sorted(path for path in self.root.glob("*") if TRANSFORM_FILE.fullmatch(path.name))
