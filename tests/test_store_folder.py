"""A store as a folder: opened, moved, rebuilt, read-only, damaged, of another version."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import StoreDamagedError, StoreError, StoreNotFoundError, StoreVersionError
from repstore.schemas import FORMAT_VERSION
from repstore.storage.files import write_json

CORPUS = small_corpus()
RUN = SyntheticRun("m/base", random_layers(80, 6, 2), 33, skipped=frozenset({3}))
LATER = SyntheticRun("m/later", random_layers(80, 6, 2, seed=1))


@pytest.fixture
def root(tmp_path):
    return build_store(tmp_path / "store", CORPUS, [RUN])


def answers(root: Path) -> list[str]:
    """What a store says, asked in every way."""
    with repstore.open(root) as store:
        results = [
            store.corpora(),
            store.words(),
            store.probe("wic", run="m/base"),
            store.neighbors("bank", text="004", run="m/base", layer="all"),
            store.compare(run="m/base"),
            store.sql("SELECT * FROM vectors WHERE run = 'm/base' ORDER BY ALL"),
            store.sql("SELECT * FROM skipped"),
        ]
        return [result.to_json() for result in results]


def contents(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of change of every file and folder."""
    stats = {str(path.relative_to(root)): path.stat() for path in [root, *root.rglob("*")]}
    return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def test_a_store_may_be_moved(root, tmp_path):
    before = answers(root)
    moved = tmp_path / "another place" / "store [copy] of it's"
    moved.parent.mkdir()
    root.rename(moved)
    assert answers(moved) == before


def test_a_store_opened_by_a_relative_path_stays_open_when_the_working_directory_changes(
    root, tmp_path, monkeypatch
):
    monkeypatch.chdir(root.parent)
    with repstore.open("store") as store:
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert len(store.vectors(layer=0).values) == 79
        assert store.sql("SELECT count(*) AS n FROM vectors")["n"] == [158]


def test_reading_changes_no_file(root):
    before = contents(root)
    answers(root)
    assert contents(root) == before


READ = """
import sys, repstore
with repstore.open(sys.argv[1]) as store:
    print(store.probe("wic")["layer"], store.sql("SELECT count(*) AS n FROM vectors")["n"])
"""


def as_reader(root: Path) -> subprocess.CompletedProcess:
    """Read a store in a process that must heed the permissions of files, even if root runs the tests."""
    command = [sys.executable, "-c", READ, str(root)]
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write everywhere; setpriv is needed to take that away")
        command = ["setpriv", "--bounding-set", "-dac_override", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def read_only(root):
    def set_modes(folder_mode: int, file_mode: int) -> None:
        for path in [root, *root.rglob("*")]:
            path.chmod(folder_mode if path.is_dir() else file_mode)

    set_modes(0o555, 0o444)
    yield root
    set_modes(0o755, 0o644)


def test_a_read_only_store_can_be_read(read_only):
    done = as_reader(read_only)
    assert done.stderr == ""
    assert done.stdout == "[0, 1] [158]\n"


def test_a_read_only_store_without_a_catalog_can_be_read(root, read_only):
    root.chmod(0o755)
    (root / "catalog.duckdb").unlink()
    root.chmod(0o555)
    done = as_reader(root)
    assert (done.stdout, done.stderr) == ("[0, 1] [158]\n", "")


def test_a_deleted_catalog_is_not_missed(root):
    before = answers(root)
    (root / "catalog.duckdb").unlink()
    files = contents(root)
    assert answers(root) == before
    assert contents(root) == files  # a reader leaves writing to the writer


@pytest.mark.parametrize("damage", [b"", b"not a catalog" * 1000], ids=["empty", "garbage"])
def test_a_damaged_catalog_is_refused_and_can_be_repaired(root, damage):
    before = answers(root)
    (root / "catalog.duckdb").write_bytes(damage)
    with pytest.raises(StoreDamagedError, match=r"catalog\.duckdb cannot be opened .* \"repstore repair\""):
        repstore.open(root)
    repstore.repair(root)
    assert answers(root) == before


def test_a_reader_sees_what_was_committed_when_it_opened(root):
    with repstore.open(root) as early:
        build_store(root, CORPUS, [LATER])
        assert early.runs()["run"] == ["m/base"]
        assert early.sql("SELECT DISTINCT run FROM vectors")["run"] == ["m/base"]
        with repstore.open(root) as late:
            assert late.runs()["run"] == ["m/base", "m/later"]
            assert late.sql("SELECT DISTINCT run FROM vectors ORDER BY run")["run"] == ["m/base", "m/later"]


def test_a_store_can_be_opened_many_times_at_once(root):
    opened = [repstore.open(root) for _ in range(3)]
    assert {store.probe("wic").to_json() for store in opened} == {opened[0].probe("wic").to_json()}
    opened[0].close()
    assert len(opened[1].words()) == 80
    for store in opened[1:]:
        store.close()


@pytest.mark.parametrize("path", ["nowhere", "empty", "file"])
def test_where_no_store_is_the_error_says_how_to_make_one(tmp_path, path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(StoreNotFoundError, match=f'No store at .*{path}. Make one with "repstore ingest"'):
        repstore.open(tmp_path / path)


@pytest.mark.parametrize("do", [repstore.open, repstore.verify, repstore.repair, repstore.migrate])
def test_a_store_of_a_newer_version_is_refused_and_left_as_it_is(root, do):
    write_json(root / "store.json", {"format_version": FORMAT_VERSION + 1})
    (root / "runs" / "new-in-that-version").write_text("foreign")
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    with pytest.raises(StoreVersionError, match=f"has format {FORMAT_VERSION + 1}; .* Upgrade repstore"):
        do(root)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"format_version": "one"}', "\udcff"])
def test_a_damaged_marker_is_refused_with_its_path(root, content):
    (root / "store.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(StoreDamagedError, match=r"store\.json"):
        repstore.open(root)


@pytest.mark.parametrize(
    ("pattern", "ask"),
    [
        ("runs/*/run.json", lambda store: store.probe("wic")),
        ("runs/*/parts/part-00001.parquet", lambda store: store.vectors(layer=0)),
        ("runs/*/parts/part-00001.parquet", lambda store: store.sql("SELECT sum(norm(vector)) FROM vectors")),
    ],
    ids=["run.json", "a part", "a part in SQL"],
)
@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:100])])
def test_a_missing_or_cut_file_is_reported_with_its_path(root, pattern, ask, damage):
    (path,) = root.glob(pattern)
    damage(path)
    with repstore.open(root) as store, pytest.raises(repstore.RepstoreError) as caught:
        ask(store)
    assert path.name in str(caught.value)


def test_a_path_that_duckdb_would_read_as_another_is_refused(root):
    for name, read_as in (("sto*re", "as a pattern"), ("store?", "as a pattern"), ("st\\re", "as /")):
        place = shutil.copytree(root, root.with_name(name))
        for do in (repstore.open, repstore.verify, repstore.repair):
            with pytest.raises(StoreError, match=read_as):
                do(place)


def test_a_path_that_is_not_utf_8_is_refused(root):
    place = root.rename(root.with_name("st\udcff"))
    for do in (repstore.open, repstore.verify, repstore.repair):
        with pytest.raises(StoreError, match=r"st\\udcff.* not UTF-8"):
            do(place)


def test_info_counts_the_bytes_of_all_parts(root):
    with repstore.open(root) as store:
        values = {row["property"]: row["value"] for row in store.info() if row["run"] is None}
    parts = root.rglob("parts/part-*.parquet")
    assert int(values["part_bytes"]) == sum(path.stat().st_size for path in parts)
    assert (values["path"], values["format"]) == (str(root), str(FORMAT_VERSION))


def test_two_corpora_may_not_have_one_name(root):
    with pytest.raises(StoreError, match='another corpus named "synthetic"'):
        build_store(root, small_corpus(60), [LATER])
