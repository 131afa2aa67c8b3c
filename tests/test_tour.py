"""docs/tour.ipynb runs from top to bottom, and shows what it showed when it was kept."""

import os
import re

import nbformat
import pages
import pytest
import tour

KEPT = nbformat.read(tour.TOUR, as_version=4)


def shown(notebook):
    """What each cell of code shows: one thing, as text and perhaps as a picture or HTML."""
    outputs = [cell.outputs for cell in notebook.cells if cell.cell_type == "code"]
    assert [len(of_cell) for of_cell in outputs] == [1] * len(outputs)
    assert {of_cell[0].output_type for of_cell in outputs} == {"execute_result"}
    return [of_cell[0].data for of_cell in outputs]


@pytest.mark.model
@pytest.mark.filterwarnings("default")  # of the kernel's libraries
def test_the_tour_runs_and_shows_what_it_showed(project):
    """Of the same kind in a part of the demo, and the same in the whole of it (`make pages`)."""
    for new, old in zip(shown(tour.executed(project)), shown(KEPT), strict=True):
        assert set(new) == set(old)
        assert "\x1b" not in new["text/plain"]
        if "REPSTORE_TEST_DEMO" in os.environ:
            assert pages.missing(old["text/plain"], new["text/plain"]) == []


def test_the_tour_shows_figures_and_tables():
    kinds = [kind for data in shown(KEPT) for kind in data]
    assert kinds.count("image/png") == 3
    assert kinds.count("text/html") >= 8


def test_the_tour_keeps_nothing_of_where_and_when_it_ran():
    for data in shown(KEPT):
        assert not re.search(r"(^|[\s\"'>])/\w+/|\x1b", data["text/plain"] + data.get("text/html", ""))
    assert set(KEPT.metadata) == {"kernelspec", "language_info"}
    assert KEPT.metadata.language_info == {"name": "python"}
    assert all(not cell.metadata for cell in KEPT.cells)
