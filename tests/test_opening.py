"""Opening a store, and saying what is in it, takes as much for a few words as for many."""

from __future__ import annotations

from pathlib import Path

import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore

READS = Path("/proc/self/io")


def build(root: Path, n_words: int) -> Path:
    run = SyntheticRun("m", random_layers(n_words, 4, 3), n_words // 4, skipped=frozenset({3}))
    return build_store(root, small_corpus(n_words), [run])


def look(root: Path) -> str:
    with repstore.open(root) as store:
        run = store.run()
        return f"{store!r}{store._repr_html_()}{run!r}{run.contract}{run.layers}{3 in run}"


def test_no_part_and_no_table_of_a_corpus_is_opened(tmp_path):
    root = build(tmp_path / "store", 700)
    expected = look(root)
    for file in [*root.glob("corpora/*/*"), *root.glob("runs/*/parts/*"), *root.glob("runs/*/manifest/*")]:
        file.unlink()
    assert look(root) == expected


@pytest.mark.skipif(not READS.exists(), reason="the system does not count what a process reads")
def test_no_more_is_read_of_many_words_than_of_few(tmp_path):
    few, many = build(tmp_path / "few", 600), build(tmp_path / "many", 40_000)
    assert (many / "catalog.duckdb").stat().st_size > (few / "catalog.duckdb").stat().st_size
    look(few)  # modules are loaded

    def read_by(root: Path) -> int:
        before = int(READS.read_text().split()[1])
        look(root)
        return int(READS.read_text().split()[1]) - before

    assert abs(read_by(many) - read_by(few)) < 1000


def test_a_layer_reads_its_own_parts_and_the_words_only_when_they_are_asked_for(tmp_path):
    root = build(tmp_path / "store", 700)
    for file in root.glob("corpora/*/*.parquet"):
        file.unlink()
    with repstore.open(root) as store:
        assert len(store.run()[1]) == 699
