"""What is installed: the packages that pyproject.toml lists, from the folders where they stand."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(PYPROJECT)
SETUPTOOLS = int(PROJECT["build-system"]["requires"][0].removeprefix("setuptools>="))


def version_of(package: str) -> int | None:
    """Major version of an installed package."""
    try:
        return int(version(package).split(".")[0])
    except PackageNotFoundError:
        return None


def packages_of(folder: Path, name: str) -> set[str]:
    """Names of a folder's packages; links are followed as Python follows them."""
    found = {name} if (folder / "__init__.py").exists() else set()
    for inside in folder.iterdir():
        if inside.is_dir() and inside.name != "__pycache__":
            found |= packages_of(inside, f"{name}.{inside.name}")
    return found


def test_every_package_of_the_tree_is_listed():
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages_of(ROOT / "repstore", "repstore")


@pytest.mark.parametrize("name", ["cli", "schemas"])
def test_a_link_shows_each_top_level_package_where_it_is_imported(name):
    link = ROOT / "repstore" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name
    assert PROJECT["tool"]["setuptools"]["package-dir"][f"repstore.{name}"] == name


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """A wheel of a copy of the project, since building leaves folders behind."""
    if (version_of("setuptools") or 0) < SETUPTOOLS:
        pytest.skip(f"building in place needs setuptools>={SETUPTOOLS}")
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("repstore", "cli", "schemas", "data"):
        shutil.copytree(
            ROOT / name, folder / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    command += ["--disable-pip-version-check", "--wheel-dir", str(folder / "dist"), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = (folder / "dist").iterdir()
    return zipfile.ZipFile(file)


def test_the_wheel_holds_every_module_and_every_schema(wheel):
    expected = {
        f"repstore/{path.relative_to(ROOT / 'repstore')}"
        for pattern in (
            "*.py",
            "*/*.py",
            "storage/*/*.py",
            "py.typed",
            "schemas/*.sql",
            "schemas/*.json",
            "studies/*.csv",
        )
        for path in (ROOT / "repstore").glob(pattern)
    }
    assert {"repstore/cli/app.py", "repstore/schemas/catalog.sql", "repstore/py.typed"} <= expected
    assert any(name.endswith(".schema.json") for name in expected)
    assert {name for name in wheel.namelist() if ".dist-info/" not in name} == expected


def test_the_wheel_installs_no_other_top_level_package(wheel):
    top = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"repstore"}


def test_the_wheel_has_the_program_and_both_licenses(wheel):
    (entry_points,) = (name for name in wheel.namelist() if name.endswith("entry_points.txt"))
    assert "repstore = repstore.cli:main" in wheel.read(entry_points).decode()
    licenses = [name.split("/licenses/")[1] for name in wheel.namelist() if "/licenses/" in name]
    assert sorted(licenses) == ["LICENSE", "data/LICENSE"]


def test_every_dependency_says_why_it_is_there():
    project = PROJECT["project"]
    extras = project["optional-dependencies"].values()
    listed = [*project["dependencies"], *(one for extra in extras for one in extra)]
    explained = [
        requirement
        for line in PYPROJECT.splitlines()
        if re.search(r"\s#\s+\S.{3,}$", line)
        for requirement in re.findall(r'"([^"]+)"', line.split("#")[0])
    ]
    assert [requirement for requirement in listed if requirement not in explained] == []


def test_every_dependency_has_a_pinned_version_that_satisfies_it():
    from packaging.requirements import Requirement

    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    pins = {name.lower().replace("_", "-"): pin for name, pin in pins.items()}
    project = PROJECT["project"]
    for line in [
        *project["dependencies"],
        *(r for e in project["optional-dependencies"].values() for r in e),
    ]:
        requirement = Requirement(line)
        assert requirement.name in pins, line
        assert requirement.specifier.contains(pins[requirement.name]), line
