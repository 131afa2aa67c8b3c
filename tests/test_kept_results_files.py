"""Results are kept whole or not at all, checked byte by byte, and never changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from deaths import after_every_death
from folders import files_of
from saved import store_of
from test_frozen import DAMAGES

import repstore
from repstore import kept_results
from repstore.errors import NotFoundError, StoreDamagedError, StoreError, StoreLockedError
from repstore.results import ResultTable
from repstore.storage import files
from repstore.storage.layout import Layout
from repstore.storage.lock import writing

COMMAND = "repstore geometry st --measure norms --save x"


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return store_of(tmp_path_factory.mktemp("plain") / "store")


@pytest.fixture
def root(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


@pytest.fixture
def store(root):
    with repstore.open(root) as opened:
        yield opened


def norms(store) -> ResultTable:
    return store.geometry("norms")


def but_for(root: Path, *names: str) -> dict[str, bytes]:
    """The files of a store but those with one of these names in their path."""
    return {path: data for path, data in files_of(root).items() if not {*names} & {*Path(path).parts}}


def test_another_writer_is_waited_for_by_nobody(store, root):
    with writing(Layout(root)):
        for change in (
            lambda: repstore.save_result(root, "x", norms(store)),
            lambda: repstore.drop_result(root, "x"),
        ):
            with pytest.raises(StoreLockedError, match="is being written by process"):
                change()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_full_disk_leaves_what_was_there(store, root, monkeypatch, replaced):
    if replaced:
        repstore.save_result(store, "x", store.hubness(k=3))
    before = files_of(root)
    for last in range(3):
        written = []

        def full(path, chunks, last=last, written=written, write=files.write_draft):
            written.append(path)
            if len(written) > last:
                raise StoreError(f"{path} cannot be written: No space left on device.")
            return write(path, chunks)

        with monkeypatch.context() as patched:
            patched.setattr(files, "write_draft", full)
            with pytest.raises(StoreError, match="No space left"):
                repstore.save_result(store, "x", norms(store), replace=True)
        assert files_of(root) == before
        assert (root / "results" / "x").exists() == replaced


@pytest.mark.parametrize("replaced", [False, True])
def test_a_death_leaves_a_result_whole_or_absent(store, root, replaced):
    old, new = store.hubness(k=3), norms(store)
    if replaced:
        repstore.save_result(store, "x", old)
    sound = None
    for died in after_every_death(root, lambda copy: repstore.save_result(copy, "x", new, replace=True)):
        with repstore.open(died) as opened:
            assert set(opened.results()["state"]) <= {"current"}
            if len(opened.results()):
                assert opened.result("x").about in (old.about, new.about)
        assert {finding["problem"] for finding in repstore.verify(died)} <= {"unfinished"}
        repstore.save_result(died, "x", new, replace=True)
        sound = sound or but_for(died, "made.json")
        assert but_for(died, "made.json") == sound, (
            "nothing of the death is left, and nothing else has changed"
        )
    assert sound is not None


def test_what_a_death_left_is_removed_by_repair(store, root):
    plain, new = files_of(root), norms(store)
    for n, died in enumerate(after_every_death(root, lambda copy: repstore.save_result(copy, "x", new))):
        if n % 4 == 3:
            repstore.repair(died)
            assert not list(repstore.verify(died))
            if files_of(died) != plain:
                assert sorted(files_of(died / "results" / "x")) == [
                    "made.json",
                    "result.json",
                    "rows.parquet",
                ]


def test_a_death_while_one_is_dropped_leaves_it_whole_or_absent(store, root):
    repstore.save_result(store, "x", norms(store))
    for died in after_every_death(root, lambda copy: repstore.drop_result(copy, "x")):
        with repstore.open(died) as opened:
            assert set(opened.results()["state"]) <= {"current"}
        repstore.drop_result(died, "x")
        assert not list(repstore.verify(died))
        assert not (died / "results" / "x").exists()


@pytest.mark.parametrize("name", ["rows.parquet", "made.json", "result.json"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_said_and_mended(store, root, name, damage):
    plain = files_of(root)
    repstore.save_result(store, "x", norms(store), command=COMMAND)
    sound = but_for(root, "made.json")
    spoil, problem = DAMAGES[damage]
    spoil(root / "results" / "x" / name)
    findings = list(repstore.verify(root))
    if (name, damage) == ("result.json", "removed"):  # then there is none, and its files are litter
        assert {finding["problem"] for finding in findings} == {"unfinished"}
        assert len(store.results()) == 0
    else:
        (finding,) = findings
        assert finding["path"] == f"results/x/{name}"
        assert finding["problem"] == ("damaged" if name == "made.json" else problem)
        if (name, damage) != ("rows.parquet", "flipped"):  # a listing looks at sizes
            assert store.results()["state"] == ["damaged"]
        with pytest.raises(StoreDamagedError):
            store.result("x")
    done = repstore.repair(root)
    if name == "rows.parquet":
        assert done[-2].strip() == COMMAND
    assert not list(repstore.verify(root))
    assert but_for(root, "quarantine") == plain
    repstore.save_result(store, "x", norms(store))
    assert but_for(root, "quarantine", "made.json") == sound


def test_a_damaged_result_makes_way_for_the_same_saved_again(store, root):
    repstore.save_result(store, "x", norms(store))
    sound = files_of(root / "results" / "x")
    for name in ("rows.parquet", "made.json", "result.json"):
        (root / "results" / "x" / name).write_text("{}")
        assert repstore.save_result(store, "x", norms(store))
        assert files_of(root / "results" / "x").keys() == sound.keys()
        assert files_of(root / "results" / "x")["rows.parquet"] == sound["rows.parquet"]


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "dropped"])
def test_a_result_that_is_replaced_or_dropped_while_it_is_read_is_not_called_damaged(
    store, root, monkeypatch, replaced
):
    repstore.save_result(store, "x", norms(store))
    read = kept_results.read_rows

    def meanwhile(place, info):
        monkeypatch.setattr(kept_results, "read_rows", read)
        repstore.drop_result(root, "x")
        if replaced:
            repstore.save_result(root, "x", store.sql("SELECT 1 AS one"))
        return read(place, info)

    monkeypatch.setattr(kept_results, "read_rows", meanwhile)
    if replaced:
        assert store.result("x")["one"] == [1]
    else:
        with pytest.raises(NotFoundError, match='No result "x"'):
            store.result("x")


@pytest.mark.parametrize("replaced", [True, False], ids=["replaced", "dropped"])
@pytest.mark.parametrize("reader", ["read_result", "read_made"])
def test_a_result_that_is_replaced_or_dropped_while_all_are_listed_is_not_called_damaged(
    store, root, monkeypatch, reader, replaced
):
    new = store.sql("SELECT 1 AS one")
    repstore.save_result(store, "x", norms(store))
    read = getattr(kept_results, reader)

    def meanwhile(place):
        monkeypatch.setattr(kept_results, reader, read)
        had = read(place) if reader == "read_result" else None
        repstore.drop_result(root, "x")
        if replaced:
            repstore.save_result(root, "x", new)
        return had or read(place)

    monkeypatch.setattr(kept_results, reader, meanwhile)
    assert store.results()["state"] == (["current"] if replaced else [])


def test_what_is_no_result_does_not_keep_the_others_from_being_listed_and_asked_about(store, root):
    repstore.save_result(store, "x", norms(store))
    (root / "results" / "folder" / "result.json").mkdir(parents=True)
    (root / "results" / "file").write_text("of somebody else")
    assert store.results()["name"] == store.sql("FROM results")["name"] == ["x"]
    with pytest.raises(StoreDamagedError, match="Is a directory"):
        store.result("folder")
    with pytest.raises(NotFoundError, match="Known: x"):
        store.result("file")
    assert not any(row["problem"] == "damaged" for row in repstore.verify(root))


@pytest.mark.parametrize("name", ["_x", "x\N{LATIN SMALL LETTER E WITH ACUTE}", "x" * 65])
def test_a_result_whose_folder_has_no_name_of_ours_is_left_as_it_is(store, root, name):
    repstore.save_result(store, "x", norms(store))
    held = files_of(root / "results" / "x")
    (root / "results" / "x").rename(root / "results" / name)
    assert {finding["problem"] for finding in repstore.verify(root)} == {"foreign"}
    repstore.repair(root)
    assert files_of(root / "results" / name) == held


def test_a_file_of_somebody_else_is_left_where_it_is(store, root):
    repstore.save_result(store, "x", norms(store))
    mine = root / "results" / "x" / "mine.txt"
    mine.write_text("mine")
    assert [(found["path"], found["problem"]) for found in repstore.verify(root)] == [
        ("results/x/mine.txt", "foreign")
    ]
    repstore.drop_result(root, "x")
    assert mine.read_text() == "mine"
