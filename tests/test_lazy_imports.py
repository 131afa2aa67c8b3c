"""Reading never loads a model library, and what is not asked for is not loaded at all."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

MODEL_LIBRARIES = {"torch", "transformers", "tokenizers", "accelerate", "gguf", "huggingface_hub"}
READING_LIBRARIES = {"duckdb", "pyarrow", "numpy", "numkong"}
ASKED_FOR = {
    "faiss",
    "matplotlib",
    "polars",
    "scipy",
    "sklearn",
    "anndata",
    "datasets",
    "h5py",
    "safetensors",
}
# pandas is not asked for either, but where it is installed pyarrow loads it.

REPORT = "import json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
USE = """
import sys, repstore
with repstore.open(sys.argv[1]) as store:
    print(store.runs(), store.info(), store.corpora(), store.words())
    print(store.vectors(layer=0).values.sum(), store.probe("wic"), store.compare("cka"))
    print(store.probe("knn-wsd"), store.probe("centroid-wsd"))
    print(store.neighbors("bank", text="004", layer="all", where="pos = 'N'"), store.hubness(layer=0))
    print(store.sql("SELECT layer, avg(norm(vector)) FROM vectors GROUP BY layer").to_json())
"""
WITHOUT = """
import sys
class Without:
    def __init__(self, finder): self.finder = finder
    def __getattr__(self, name): return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.split(".")[0] in {absent!r} else self.finder.find_spec(name, *more)
sys.meta_path[:] = map(Without, sys.meta_path)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    run = SyntheticRun("m/base", random_layers(80, 6, 2), 33)
    return build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), [run])


def python(program: str, *arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def loaded_by(program: str, *arguments: object) -> set[str]:
    """Top-level names of all modules that a program loads."""
    done = python(f"{program}\n{REPORT}", *arguments)
    assert done.returncode == 0, done.stderr
    return {module.split(".")[0] for module in json.loads(done.stderr.splitlines()[-1])}


def program_of(*arguments: str) -> str:
    """The command line, as its entry point calls it."""
    return (
        f"import sys; sys.argv = {['repstore', *arguments]!r}\n"
        "from repstore.cli import main\n"
        "try: main()\nexcept SystemExit as stop:\n    if stop.code: raise\n"
    )


def test_importing_repstore_loads_none_of_its_libraries():
    assert not loaded_by("import repstore") & (MODEL_LIBRARIES | READING_LIBRARIES | ASKED_FOR)


@pytest.mark.parametrize(
    "arguments", [("--help",), ("ingest", "--help"), ("import", "--help"), ("probe", "wsi", "--help")]
)
def test_help_loads_none_of_the_libraries(arguments):
    loaded = loaded_by(program_of(*arguments))
    assert "typer" in loaded
    assert not loaded & (MODEL_LIBRARIES | READING_LIBRARIES | ASKED_FOR)


def test_every_question_to_a_store_is_answered_without_a_model_library(store):
    loaded = loaded_by(USE, store)
    assert loaded >= READING_LIBRARIES
    assert not loaded & (MODEL_LIBRARIES | ASKED_FOR)


@pytest.mark.parametrize("with_catalog", [True, False])
def test_opening_a_store_and_a_layer_does_not_wait_for_pandas(store, tmp_path, with_catalog):
    root = shutil.copytree(store, tmp_path / "store")
    if not with_catalog:
        (root / "catalog.duckdb").unlink()
    loaded = loaded_by("import sys, repstore; print(repstore.open(sys.argv[1]).run()[0].vectors[3])", root)
    assert not loaded & {"pandas"}


def test_the_command_line_reads_without_a_model_library(store):
    loaded = loaded_by(program_of("probe", "wic", str(store), "--format", "json"))
    assert not loaded & (MODEL_LIBRARIES | ASKED_FOR)


def test_a_store_is_read_where_nothing_optional_is_installed(store):
    absent = sorted(MODEL_LIBRARIES | ASKED_FOR | {"pandas"})
    done = python(WITHOUT.format(absent=absent) + USE, store)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("missing", ["torch", "transformers"])
def test_an_ingest_without_its_libraries_says_what_to_install(tmp_path, missing):
    (tmp_path / "text.txt").write_text("We sat on the bank.\n")
    arguments = ["ingest", f"text:{tmp_path / 'text.txt'}", str(tmp_path / "store"), "--model", "smollm2"]
    done = python(WITHOUT.format(absent=[missing]) + program_of(*arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1] == (
        f"repstore: This runs a model and needs {missing}. Install it with: pip install 'repstore[encode]'"
    )
    assert not (tmp_path / "store").exists()


def test_every_public_name_can_be_imported():
    program = "import repstore\nfor name in repstore.__all__: assert getattr(repstore, name), name"
    assert python(program).returncode == 0


def test_an_extra_that_is_not_installed_is_named_when_it_is_asked_for(store):
    use = "import sys, repstore; repstore.open(sys.argv[1]).{}"
    for library, ask in (("matplotlib", "compare().plot('a.png')"), ("pandas", "runs().to_pandas()")):
        done = python(WITHOUT.format(absent=[library]) + use.format(ask), store)
        last = done.stderr.splitlines()[-1]
        assert last.startswith("repstore.errors.MissingExtraError: ")
        assert f"need {library}" in last.replace("needs", "need")
        assert "pip install" in last


@pytest.mark.parametrize(
    ("library", "out"), [("anndata", "a.h5ad"), ("h5py", "a.h5ad"), ("datasets", "a --as datasets")]
)
def test_a_format_whose_library_is_not_installed_says_what_to_install(store, tmp_path, library, out):
    name, *options = out.split()
    arguments = ["export", str(store), str(tmp_path / name), *options]
    done = python(WITHOUT.format(absent=[library]) + program_of(*arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(" Install it with: pip install 'repstore[exchange]'\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.parquet", "a.npy", "a.safetensors"])
def test_formats_of_bytes_alone_need_nothing_optional(store, tmp_path, name):
    program = WITHOUT.format(absent=sorted(MODEL_LIBRARIES | ASKED_FOR | {"pandas"}))
    done = python(program + program_of("export", str(store), str(tmp_path / name)))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, str(tmp_path / name))


def test_an_unknown_name_is_an_attribute_error():
    done = python("import repstore; repstore.openn")
    assert done.stderr.splitlines()[-1].startswith(
        "AttributeError: module 'repstore' has no attribute 'openn'"
    )


def test_what_is_public_is_offered_for_completion_before_it_is_loaded():
    import repstore

    assert dir(repstore) == sorted(repstore.__all__)
