"""``repstore doctor``: what is here to work with, what is missing for what, and how a store is."""

import importlib.metadata
import json
import platform
import shutil
import sys
import types
from pathlib import Path

import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore import diagnosis
from repstore.schemas import FORMAT_VERSION
from repstore.storage.files import write_json
from repstore.storage.layout import Layout
from repstore.storage.lock import writing


@pytest.fixture
def store(tmp_path) -> Path:
    runs = [
        SyntheticRun("m/base", random_layers(80, 6, 2)),
        SyntheticRun("m/half", random_layers(80, 6, 2), rows_per_part=33, n_committed=2),
    ]
    return build_store(tmp_path / "store", small_corpus(), runs)


def facts(*arguments: object, code: int = 0) -> dict[tuple[str, str], dict]:
    outcome = command("doctor", *arguments, "--format", "json")
    assert (outcome.code, outcome.err) == (code, "")
    return {(row["about"], row["what"]): row for row in json.loads(outcome.out)}


def test_versions_are_those_that_are_installed():
    found = facts()
    assert found["program", "Python"]["value"] == platform.python_version()
    for library in ("duckdb", "pyarrow", "numpy", "faiss-cpu", "typer"):
        assert found["library", library]["value"] == importlib.metadata.version(library)
    assert {row["state"] for row in found.values()} <= {"ok", "missing"}


def test_disk_and_memory_are_those_of_the_system(store):
    found = facts(store)
    total = shutil.disk_usage(store).total
    assert found["disk", str(store)]["value"].endswith(f"free of {total / 1e9:.1f} GB")
    with open("/proc/meminfo") as lines:
        kilobytes = int(next(line for line in lines if line.startswith("MemTotal")).split()[1])
    assert found["memory", "in all"]["value"] == f"{kilobytes * 1024 / 1e9:.1f} GB"


def test_what_is_not_installed_is_named_with_what_it_is_for(monkeypatch):
    absent = {"torch", "transformers", "matplotlib"}
    monkeypatch.setattr(
        diagnosis, "version_of", lambda name: None if name in absent else importlib.metadata.version(name)
    )
    monkeypatch.setattr(diagnosis, "find_spec", lambda name: None)
    monkeypatch.setattr(diagnosis, "accelerators", lambda: pytest.fail("torch is not there to ask"))
    found = facts()
    for extra, needed_for in (("encode", "ingest"), ("train", "probe mlp"), ("plot", "--plot")):
        row = found["extra", extra]
        assert (row["state"], row["advice"]) == ("missing", f"pip install 'repstore[{extra}]'")
        assert needed_for in row["value"]
    assert "torch, transformers" in found["extra", "encode"]["value"]
    assert found["model", "smollm2"]["advice"].startswith("pip install")
    assert ("library", "torch") not in found


def test_a_library_that_is_always_needed_and_not_there_is_broken(monkeypatch):
    monkeypatch.setattr(diagnosis, "version_of", lambda name: None if name == "scipy" else "1")
    row = facts(code=1)["library", "scipy"]
    assert (row["state"], row["advice"]) == ("broken", "pip install scipy")


def test_devices_are_those_that_torch_names(monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(diagnosis, "accelerators", lambda: [("cuda:0", "A card, 80.0 GB")])
    assert facts()["device", "cuda:0"]["value"] == "A card, 80.0 GB"

    def fails() -> list:
        raise OSError("libcudart.so.12: cannot open shared object file")

    monkeypatch.setattr(diagnosis, "accelerators", fails)
    row = facts(code=1)["device", "torch"]
    assert row["state"] == "broken"
    assert "libcudart" in row["value"]


def test_accelerators_are_asked_of_torch(monkeypatch):
    from repstore.encode.devices import accelerators

    card = types.SimpleNamespace(name="A card", total_memory=80_000_000_000)
    cuda = types.SimpleNamespace(device_count=lambda: 2, get_device_properties=lambda n: card)
    mps = types.SimpleNamespace(is_available=lambda: True)
    fake = types.SimpleNamespace(cuda=cuda, backends=types.SimpleNamespace(mps=mps))
    monkeypatch.setitem(sys.modules, "torch", fake)
    assert [name for name, _ in accelerators()] == ["cuda:0", "cuda:1", "mps"]
    assert accelerators()[0][1] == "A card, 80.0 GB"


def test_of_a_store_it_says_what_is_unfinished_and_who_writes(store):
    found = facts(store)
    assert found["store", "runs"]["value"] == "2"
    assert found["store", "format"]["value"] == str(FORMAT_VERSION)
    half = found["store", "run m/half"]
    assert (half["value"], half["state"]) == ("2 of 3 parts", "unfinished")
    assert half["advice"]
    assert ("store", "run m/base") not in found
    assert found["store", "writer"]["value"] == "none"
    assert found["store", "catalog"]["value"] == "current"
    with writing(Layout(store)):
        assert facts(store)["store", "writer"]["value"].startswith("process ")


def test_a_store_of_an_older_format_is_outdated(store):
    marker = Layout(store).marker
    write_json(marker, {"format_version": 1})
    row = facts(store)["store", "format"]
    assert (row["value"], row["state"], row["advice"]) == ("1", "outdated", f"repstore migrate {store}")
    assert command("migrate", store).code == 0
    assert facts(store)["store", "format"]["state"] == "ok"


def test_a_catalog_that_is_not_there_is_missing_and_one_that_is_damaged_is_broken(store):
    layout = Layout(store)
    with layout.catalog.open("r+b") as file:
        file.write(b"nonsense")
    row = facts(store, code=1)["store", "catalog"]
    assert (row["state"], row["advice"]) == ("broken", f"repstore repair {store}")
    layout.catalog.unlink()
    row = facts(store)["store", "catalog"]
    assert (row["state"], row["advice"]) == ("missing", f"repstore repair {store}")
    command("repair", store)
    assert facts(store)["store", "catalog"]["state"] == "ok"


def test_a_run_whose_description_is_damaged_is_broken(store):
    damaged = sorted(Layout(store).runs.glob("*/run.json"))[0]
    damaged.write_text("{}")
    found = facts(store, code=1)
    assert found["store", f"run {damaged.parent.name}"]["state"] == "broken"
    assert found["store", "runs"]["value"] == "1"


def test_where_no_store_is_it_says_so(tmp_path):
    outcome = command("doctor", tmp_path / "none")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("repstore: No store at")


def test_the_library_answers_the_same_as_a_table(store):
    result = repstore.diagnose(store)
    assert result.columns == ["about", "what", "value", "state", "advice"]
    assert result.title == "Nothing is broken"
