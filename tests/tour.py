"""docs/tour.ipynb, run in a folder as ``make demo`` leaves it, and kept with what it showed.

``make tour``: python tests/tour.py FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).parents[1] / "docs" / "tour.ipynb"


def executed(folder: Path) -> nbformat.NotebookNode:
    """The notebook after a run, without what differs between two runs: times, versions, and the folder."""
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            for kind, shown in output.get("data", {}).items():
                if kind.startswith("text/"):
                    output["data"][kind] = shown.replace(f"{folder}/", "")
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(Path(sys.argv[1]).resolve()), TOUR)
