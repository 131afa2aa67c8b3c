"""What cannot be exported is refused in a line; whatever ends an export early leaves nothing behind."""

import re
import resource
import shutil
import subprocess
import sys
import tracemalloc
from collections import namedtuple
from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from exported import FORMATS, RUN, digests, out_of, planted
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, QueryError, ResultError, StoreNotFoundError
from repstore.exporting import content, drafting
from repstore.exporting.anndata import _Unfailing


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("stores") / "store")


REFUSED = {
    "a suffix of no format": ({"out": "a.parqet"}, ArgumentError, 'Did you mean ".parquet"?'),
    "no suffix": ({"out": "a"}, ArgumentError, "datasets or projector is a folder, and files end in"),
    "no such format": ({"format": "csv"}, ArgumentError, 'No format "csv". Known: atlas'),
    "a suffix of another format": ({"format": "npy"}, ArgumentError, "ends in .npy; .*a.parquet does not"),
    "a folder like a file": (
        {"format": "datasets"},
        ArgumentError,
        '"datasets" is a folder.*Leave out .parquet',
    ),
    "no folder to be in": ({"out": "no/a.parquet"}, ArgumentError, "There is no folder .*no. Make it first"),
    "inside the store": ({"out": "store/a.npy"}, ArgumentError, "is inside the store"),
    "no UTF-8": ({"out": "b\udcff.npy"}, ArgumentError, r"b\\udcff.* has bytes in it that are not UTF-8"),
    "no run": ({"run": "m/bas"}, NotFoundError, 'Did you mean "m/base"?'),
    "no layer": ({"layer": 3}, NotFoundError, "no layer 3"),
    "no mix": ({"layer": "mix:no"}, NotFoundError, 'no mix "no"'),
    "no transform": ({"transform": "no"}, NotFoundError, 'no transform "no"'),
    "no condition": ({"where": "nothing = 1"}, QueryError, "is not a condition on words"),
    "no word left": ({"where": "form = 'zz'"}, ResultError, "0 fit \"form = 'zz'\".*Nothing is written"),
    "no word with a vector left": ({"where": "word_id % 1000 = 3"}, ResultError, ", 1 fit "),
    "no such dtype": ({"dtype": "float64"}, ArgumentError, 'No dtype of parquet "float64"'),
    "a dtype that the format lacks": (
        {"out": "a.h5ad", "dtype": "float16"},
        ArgumentError,
        'No dtype of h5ad "float16". Did',
    ),
    "several layers for one": ({"format": "atlas"}, ArgumentError, '"atlas" shows one layer.*these are 3'),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_exported_is_refused(store, tmp_path, case):
    options, error, message = REFUSED[case]
    options = {"out": "a.parquet"} | options
    folder = store.parent if options["out"].startswith("store/") else tmp_path
    before = digests(folder)
    with pytest.raises(error, match=f"(?s){message}"):
        repstore.export(store, folder / options.pop("out"), **options)
    assert digests(folder) == before


def test_no_store_is_refused(tmp_path):
    with pytest.raises(StoreNotFoundError):
        repstore.export(tmp_path, tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("out", "taken"),
    [
        ("a.npy", "a.npy"),
        ("a.npy", "a.words.parquet"),
        ("a.parquet", "a.pairs.parquet"),
        ("a", "a.pairs.parquet"),
        ("a", "a/b/c"),
    ],
)
def test_nothing_is_written_over(store, tmp_path, out, taken):
    (tmp_path / taken).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / taken).write_text("kept")
    with pytest.raises(ArgumentError, match=r"is there already. Remove it, or give another name"):
        repstore.export(store, tmp_path / out, format="datasets" if out == "a" else None)
    assert list(digests(tmp_path)) == [taken]
    assert (tmp_path / taken).read_text() == "kept"


def test_what_came_there_meanwhile_is_not_written_over(store, tmp_path):
    out = tmp_path / "a.npy"
    with pytest.raises(ArgumentError, match=r"a\.npy is there already"):
        repstore.export(store, out, progress=lambda _: out.write_text("kept"))
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("a.npy", "kept")]


def test_numbers_beyond_float16_are_refused_in_float16(tmp_path):
    layer = np.full((80, 3), 65520, np.float32)  # the least number that rounds to infinity
    store = build_store(tmp_path / "store", small_corpus(), [SyntheticRun(RUN, [layer, layer - 1])])
    repstore.export(store, tmp_path / "fits.npy", layer=1, dtype="float16")
    with pytest.raises(ArgumentError, match=r"layer_00 has numbers too large for float16. Ask for float32"):
        repstore.export(store, tmp_path / "a.npy", dtype="float16")
    assert not list(tmp_path.glob("a.*"))


def test_one_dimension_cannot_be_projected(tmp_path):
    store = build_store(tmp_path / "store", small_corpus(), [SyntheticRun(RUN, random_layers(80, 3, 1))])
    repstore.fit_transform(store, "line", kind="pca", k=1)
    with pytest.raises(ArgumentError, match="layer_00 has one dimension; the projector wants two"):
        repstore.export(store, tmp_path / "a", format="projector", transform="line")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_a_disk_without_room_is_refused_before_anything_is_written(store, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 22 * 3 * 5 * 4 - 1))
    with pytest.raises(ArgumentError, match="Make room, or ask for fewer layers"):
        repstore.export(store, tmp_path / "a.parquet")
    assert not digests(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 22 * 3 * 5 * 4))
    repstore.export(store, tmp_path / "a.parquet")


@pytest.mark.parametrize("format", FORMATS)
def test_an_interrupted_export_leaves_nothing(store, tmp_path, format):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        repstore.export(store, out_of(tmp_path, format), format=format, layer=1, progress=stop)
    assert not list(tmp_path.iterdir())


KILLED = """
import sys, repstore
repstore.export(*sys.argv[1:], progress=lambda progress: print("written", flush=True) or sys.stdin.read())
"""


def test_what_a_killed_export_left_is_removed_by_the_next_and_what_another_writes_is_not(store, tmp_path):
    (tmp_path / ".repstore-elsewhere-x").mkdir()  # of another machine, which may be at work there
    children = [
        subprocess.Popen(
            [sys.executable, "-c", KILLED, str(store), str(tmp_path / name)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a.npy", "b.npy")
    ]
    for child in children:
        assert child.stdout.readline() == "written\n"
    children[0].kill()
    children[0].communicate()
    assert len(list(tmp_path.iterdir())) == 3
    repstore.export(store, tmp_path / "c.npy")
    children[1].communicate()
    assert children[1].returncode == 0
    names = {path.name for path in tmp_path.iterdir() if path.suffix != ".parquet"}
    assert names == {".repstore-elsewhere-x", "b.npy", "c.npy"}


def test_a_disk_without_locks_can_be_written_to(store, tmp_path, monkeypatch):
    def unknown(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(drafting.fcntl, "flock", unknown)
    (kept := tmp_path / f"{drafting._prefix()}x").mkdir()
    repstore.export(store, tmp_path / "a.parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"a.parquet", kept.name}


def test_a_folder_that_another_export_took_for_abandoned_is_made_anew(store, tmp_path, monkeypatch):
    lock, n_left = drafting.fcntl.flock, 1

    def late(descriptor, how):
        nonlocal n_left
        if n_left:
            n_left -= 1
            next(tmp_path.iterdir()).rmdir()
        lock(descriptor, how)

    monkeypatch.setattr(drafting.fcntl, "flock", late)
    repstore.export(store, tmp_path / "a.parquet")
    assert (n_left, [path.name for path in tmp_path.iterdir()]) == (0, ["a.parquet"])


@pytest.fixture(scope="module")
def wide_store(tmp_path_factory):
    """A layer of 8 MB."""
    root = tmp_path_factory.mktemp("stores") / "store"
    layer = random_layers(400, 5000, 1, dtype=np.float32)
    return build_store(root, small_corpus(400), [SyntheticRun(RUN, layer)])


def test_a_file_that_cannot_be_moved_takes_the_one_beside_it_along(store, tmp_path, monkeypatch):
    publish = drafting.publish

    def stop(draft, final):
        if final.suffix == ".npy":
            raise KeyboardInterrupt
        publish(draft, final)

    monkeypatch.setattr(drafting, "publish", stop)
    with pytest.raises(KeyboardInterrupt):
        repstore.export(store, tmp_path / "a.npy")
    assert not list(tmp_path.iterdir())


@contextmanager
def files_up_to(n_bytes):
    """No file may grow beyond that, which ends writing as a full disk does, at a place of our choice."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("n_bytes", [30_000, 5_000_000])
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_leaves_nothing_and_is_said(wide_store, tmp_path, monkeypatch, format, n_bytes):
    monkeypatch.setattr(content, "BLOCK_BYTES", 2 << 20)
    out = out_of(tmp_path, format)
    said = re.escape(f"{out} cannot be written: File too large. Nothing is kept of it.")
    with files_up_to(n_bytes), pytest.raises(ArgumentError, match=f"^{said}$"):
        repstore.export(wide_store, out, format=format)
    assert not list(tmp_path.iterdir())


def test_hdf5_reads_back_what_a_full_disk_did_not_take(tmp_path):
    """It would make sense of whatever stood there, and crash."""
    with _Unfailing(tmp_path / "out", "w+b") as file:
        with files_up_to(6):
            assert (file.write(b"0123"), file.write(b"4567"), file.tell()) == (4, 4, 8)
        file.seek(2)
        assert file.write(b"xy") == 2
        found = bytearray(b"?" * 12)
        file.seek(0)
        assert file.readinto(found) == 12
        assert found == b"01xy4567" + bytes(4)
        with pytest.raises(OSError, match="File too large"):
            file.check()


@pytest.mark.parametrize("format", FORMATS)
def test_memory_is_bounded_by_a_block(wide_store, tmp_path, monkeypatch, format):
    monkeypatch.setattr(content, "BLOCK_BYTES", 200_000)
    once = tmp_path / "once"
    once.mkdir()
    repstore.export(
        wide_store, out_of(once, format), format=format, where="lemma = 'bank'"
    )  # loads libraries
    # Twice, if need be: Python enlarges its table of interned names at whatever moment, not at once again.
    attempts = (tmp_path / name for name in ("first", "second"))
    assert any(taken_by_export(wide_store, folder, format) < 3_000_000 for folder in attempts)  # of 8 MB


def taken_by_export(store, folder, format):
    """The most bytes that numpy, Python and Arrow hold in the course of an export."""
    folder.mkdir()
    before, arrow = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(arrow)
    tracemalloc.start()
    try:
        repstore.export(store, out_of(folder, format), format=format)
        return tracemalloc.get_traced_memory()[1] + arrow.max_memory()
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)


def test_the_command_prints_files_and_says_the_rest_beside_them(store, tmp_path):
    out = tmp_path / "a.npy"
    done = command("export", store, out, "--run", RUN, "--layers", "0-1", "--where", "position = 1")
    assert (done.code, done.out) == (0, f"{tmp_path / 'a.words.parquet'}\n{out}\n")
    lines = done.err.splitlines()
    assert lines[0].startswith("10 words of m/base, 2 layers, ")
    assert lines[1:] == [
        '2 more words have no vector and are left out; "repstore info" says why.',
        f'Open it with: numpy.load("{out}", mmap_mode="r")',
    ]


def test_the_command_takes_every_option(store, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    options = ["--as", "atlas", "--run", RUN, "--layer", "1", "--where", "position = 0", "--dtype", "float32"]
    assert command("export", store, folders[0] / "a.parquet", *options).code == 0
    repstore.export(store, folders[1] / "a.parquet", format="atlas", layer=1, where="position = 0")
    assert digests(folders[0]) == digests(folders[1])


def test_the_command_refuses_in_one_line(store, tmp_path):
    done = command("export", store, tmp_path / "a.parqet")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("repstore: ")
    assert done.err.count("\n") == 1
    assert command("export", store, tmp_path / "a", "--as", "csv").code == 2
