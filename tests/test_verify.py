"""Damage of any kind is found, named, and mended as far as it can be."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import files_of
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore import schemas
from repstore.errors import StoreError, StoreNotFoundError
from repstore.storage.catalog import publishing
from repstore.storage.layout import Layout

KINDS = [
    "store.json",
    "catalog.duckdb",
    "catalog.json",
    "corpora/*/corpus.json",
    "corpora/*/texts.parquet",
    "corpora/*/words.parquet",
    "corpora/*/pairs.parquet",
    "corpora/*/edges.parquet",
    "runs/*/run.json",
    "runs/*/parts/part-00001.parquet",
    "runs/*/skipped/part-00000.parquet",
    "runs/*/manifest/part-00001.json",
]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    run = SyntheticRun("model/base", random_layers(80, 16, 3), rows_per_part=32, skipped=frozenset({3, 4}))
    return build_store(tmp_path / "store", small_corpus(), [run])


def the(store: Path, pattern: str) -> Path:
    (path,) = store.glob(pattern)
    return path


def flip_a_bit(path: Path, seed: int) -> None:
    data = bytearray(path.read_bytes())
    bit = int(np.random.default_rng(seed).integers(8 * len(data)))
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def problems(store: Path) -> dict[str, str]:
    return {finding["path"]: finding["problem"] for finding in repstore.verify(store)}


def test_a_sound_store_has_no_findings(store: Path) -> None:
    assert problems(store) == {}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(5))
def test_a_flipped_bit_is_found(store: Path, kind: str, seed: int) -> None:
    path = the(store, kind)
    flip_a_bit(path, seed)
    assert problems(store)[path.relative_to(store).as_posix()] == "damaged"


@pytest.mark.parametrize("kind", KINDS)
def test_a_truncated_file_is_found(store: Path, kind: str) -> None:
    path = the(store, kind)
    path.write_bytes(path.read_bytes()[:-1])
    assert problems(store)[path.relative_to(store).as_posix()] == "damaged"


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "manifest" not in kind])
def test_a_missing_file_is_found(store: Path, kind: str) -> None:
    path = the(store, kind)
    path.unlink()
    assert problems(store)[path.relative_to(store).as_posix()] == "missing"


def test_a_part_without_its_manifest_entry_does_not_exist(store: Path) -> None:
    the(store, "runs/*/manifest/part-00001.json").unlink()
    found = problems(store)
    assert found.pop("catalog.duckdb") == "stale"
    assert found.pop(the(store, "runs/*").relative_to(store).as_posix()) == "incomplete"
    assert set(found.values()) == {"foreign"}
    assert [Path(path).name for path in found] == ["part-00001.parquet"]


def test_litter_and_foreign_files_are_told_apart(store: Path) -> None:
    part = the(store, "runs/*/parts/part-00000.parquet")
    (part.parent / "part-00007.parquet.tmp").write_bytes(b"half")
    (part.parent / "notes.txt").write_text("mine")
    assert sorted(problems(store).values()) == ["foreign", "unfinished"]
    repstore.repair(store)
    assert list(problems(store).values()) == ["foreign"]
    assert (part.parent / "notes.txt").read_text() == "mine"


def test_a_damaged_part_is_reported_with_its_words(store: Path) -> None:
    flip_a_bit(the(store, "runs/*/parts/part-00001.parquet"), 0)
    with repstore.open(store) as opened:
        ids = opened.vectors(run="model/base", layer=0).word_ids
    (finding,) = repstore.verify(store)
    # Words 3 and 4 of the first 32 were skipped, so the second part begins with row 30.
    assert re.findall(r"\d{14}", finding["detail"]) == [str(ids[30]), str(ids[61])]


def test_a_stale_catalog_is_rebuilt(store: Path, tmp_path: Path) -> None:
    sound = files_of(store)
    the(store, "catalog.duckdb").unlink()
    repstore.repair(store)
    assert problems(store) == {}
    assert files_of(store) == sound


def test_a_store_that_was_interrupted_before_its_first_part_is_not_damaged(store: Path) -> None:
    for name in ("catalog.duckdb", "catalog.json"):
        (store / name).unlink()
    for entry in store.glob("runs/*/manifest/*"):
        entry.unlink()
    for folder in store.glob("runs/*/[ps]*"):
        shutil.rmtree(folder)
    assert set(problems(store).values()) == {"unfinished", "incomplete"}
    assert command("verify", store).code == 0


def test_the_command_that_completes_a_run_is_the_whole_command(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    corpus = tmp_path / "it's.txt"
    corpus.write_text("The bank of the river\n")
    ingest = [f"text:{corpus}", tmp_path / "store", "--model", tiny_model("llama"), "--words", "all"]
    ingest += ["--template", "mine={text} {form}", "--pooling", "last", "--no-final-norm"]
    ingest += ["--name", "my run", "--corpus-name", "my corpus"]
    assert command("ingest", *ingest).code == 0
    sound = files_of(tmp_path / "store")
    flip_a_bit(the(tmp_path / "store", "runs/*/parts/part-00000.parquet"), 0)
    advice = re.search(r"^  (repstore ingest .*)$", command("repair", tmp_path / "store").out, re.MULTILINE)
    assert command("ingest", *shlex.split(advice[1])[2:]).code == 0
    shutil.rmtree(tmp_path / "store" / "quarantine")
    assert files_of(tmp_path / "store") == sound


def test_a_catalog_without_its_digest_is_published_again_by_the_next_ingest(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("The bank of the river\n")
    ingest = ("ingest", f"text:{tmp_path / 'text.txt'}", tmp_path / "store", "--model", tiny_model("llama"))
    assert command(*ingest).code == 0
    (tmp_path / "store" / "catalog.json").unlink()
    assert command(*ingest).code == 0
    assert problems(tmp_path / "store") == {}


def test_what_a_file_manager_leaves_does_no_harm(store: Path) -> None:
    (store / "corpora" / ".DS_Store").write_bytes(b"x")
    manifest = the(store, "runs/*/manifest")
    shutil.copy(manifest / "part-00000.json", manifest / "part-00000 2.json")
    (store / "notes.tmp").write_text("mine")
    assert sorted(problems(store).values()) == ["foreign"] * 3
    repstore.repair(store)
    assert (store / "notes.tmp").read_text() == "mine"


def test_a_corpus_and_a_part_over_it_can_be_repaired_together(store: Path) -> None:
    flip_a_bit(the(store, "corpora/*/words.parquet"), 0)
    flip_a_bit(the(store, "runs/*/parts/part-00001.parquet"), 0)
    assert command("repair", store).code == 0
    assert set(problems(store).values()) == {"missing", "incomplete"}


def test_a_folder_that_is_no_store_is_neither_verified_nor_repaired(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    for look_after in (repstore.verify, repstore.repair):
        with pytest.raises(StoreNotFoundError):
            look_after(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_catalog_that_did_not_fit_on_the_disk_does_not_replace_the_old_one(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (store / "catalog.duckdb").read_bytes()

    def full(connection: object, layout: object) -> None:
        raise publishing.duckdb.FatalException("No space left on device")

    monkeypatch.setattr(publishing, "fill", full)
    with pytest.raises(StoreError, match="No space"):
        publishing.publish_catalog(Layout(store))
    assert (store / "catalog.duckdb").read_bytes() == before


def test_an_ingest_that_died_while_it_wrote_its_first_file_is_resumed(
    tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    (tmp_path / "text.txt").write_text("The bank of the river\n")
    (tmp_path / "store").mkdir()
    for name in ("store.json.tmp", "writer.lock"):
        (tmp_path / "store" / name).write_text("")
    ingest = (f"text:{tmp_path / 'text.txt'}", tmp_path / "store", "--model", tiny_model("llama"))
    assert command("ingest", *ingest).code == 0
    assert problems(tmp_path / "store") == {}


def test_a_damaged_marker_cannot_be_repaired(store: Path) -> None:
    flip_a_bit(store / "store.json", 1)
    with pytest.raises(StoreError, match="Restore it"):
        repstore.repair(store)


def test_there_must_be_a_store(tmp_path: Path) -> None:
    for look_after in (repstore.verify, repstore.repair):
        with pytest.raises(StoreNotFoundError):
            look_after(tmp_path / "nothing")


def test_the_command_line_says_so_in_its_exit_code(store: Path) -> None:
    assert command("verify", store).code == 0
    flip_a_bit(the(store, "runs/*/skipped/part-00000.parquet"), 0)
    outcome = command("verify", store, "--format", "csv")
    assert outcome.code == 1
    assert "skipped/part-00000.parquet,damaged" in outcome.out


@pytest.mark.parametrize("kind", [k for k in KINDS if k.startswith(("runs", "corpora"))])
def test_what_is_damaged_is_made_again_with_the_same_bytes(
    tiny_model: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 8)
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"The {n} banks of the river" for n in range(4)) + "\n\nlast words\n")
    store = tmp_path / "store"
    ingest = [f"text:{corpus}", store, "--model", tiny_model("llama"), "--template", "before:previous={text}"]
    assert command("ingest", *ingest).code == 0
    sound = files_of(store)
    path = the(store, kind)
    flip_a_bit(path, 3)
    outcome = command("repair", store)
    assert outcome.code == 0
    assert (store / "quarantine" / path.relative_to(store)).exists()
    if kind != "runs/*/run.json":  # without it the run is gone as a whole
        assert problems(store), "a store that lacks something is not called whole"
    advice = re.search(r"^  (repstore ingest .*)$", outcome.out, re.MULTILINE)
    again = shlex.split(advice[1])[2:] if advice else ingest
    assert command("ingest", *again).code == 0
    shutil.rmtree(store / "quarantine")
    assert files_of(store) == sound
    assert problems(store) == {}
