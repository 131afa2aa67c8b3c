"""Run a language model once, keep every layer's word vectors, and query them.

::

    import repstore

    repstore.ingest("senses:data/polysemy.jsonl", "store/", model="smollm2")
    store = repstore.open("store/")
    store.probe("wic", run="smollm2/base")
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from repstore.auditing import audit
    from repstore.diagnosis import diagnose
    from repstore.encoding import encode_word
    from repstore.errors import RepstoreError
    from repstore.exporting.export import ExportReport, export
    from repstore.importation import ImportReport, import_vectors
    from repstore.indexing import build_index, drop_index, list_indexes
    from repstore.ingestion import IngestReport, ingest
    from repstore.kept_probes import drop_probe, list_probes
    from repstore.mixing import drop_mix, fit_mix, list_mixes
    from repstore.reproduction import Reproduction, reproduce
    from repstore.results import ResultTable
    from repstore.run_views import Layer, Run
    from repstore.saving import fit_probe, fit_ridge
    from repstore.spec import Progress
    from repstore.storage.vectors import LayerVectors
    from repstore.store import Store, open
    from repstore.transforming import drop_transform, fit_transform, list_transforms, show_transform
    from repstore.upkeep import migrate, repair, verify

__version__ = version("repstore")

_HOMES = {
    "ExportReport": "repstore.exporting.export",
    "ImportReport": "repstore.importation",
    "IngestReport": "repstore.ingestion",
    "Layer": "repstore.run_views",
    "LayerVectors": "repstore.storage.vectors",
    "Progress": "repstore.spec",
    "RepstoreError": "repstore.errors",
    "Reproduction": "repstore.reproduction",
    "ResultTable": "repstore.results",
    "Run": "repstore.run_views",
    "Store": "repstore.store",
    "SeveralWordsError": "repstore.errors",
    "audit": "repstore.auditing",
    "build_index": "repstore.indexing",
    "diagnose": "repstore.diagnosis",
    "drop_index": "repstore.indexing",
    "drop_mix": "repstore.mixing",
    "drop_probe": "repstore.kept_probes",
    "drop_transform": "repstore.transforming",
    "encode_word": "repstore.encoding",
    "export": "repstore.exporting.export",
    "fit_mix": "repstore.mixing",
    "fit_probe": "repstore.saving",
    "fit_ridge": "repstore.saving",
    "fit_transform": "repstore.transforming",
    "import_vectors": "repstore.importation",
    "ingest": "repstore.ingestion",
    "list_indexes": "repstore.indexing",
    "list_mixes": "repstore.mixing",
    "list_probes": "repstore.kept_probes",
    "list_transforms": "repstore.transforming",
    "migrate": "repstore.upkeep",
    "repair": "repstore.upkeep",
    "reproduce": "repstore.reproduction",
    "show_transform": "repstore.transforming",
    "verify": "repstore.upkeep",
    "open": "repstore.store",
}

__all__ = [
    "ExportReport",
    "ImportReport",
    "IngestReport",
    "Layer",
    "LayerVectors",
    "Progress",
    "RepstoreError",
    "Reproduction",
    "ResultTable",
    "Run",
    "SeveralWordsError",
    "Store",
    "__version__",
    "audit",
    "build_index",
    "diagnose",
    "drop_index",
    "drop_mix",
    "drop_probe",
    "drop_transform",
    "encode_word",
    "export",
    "fit_mix",
    "fit_probe",
    "fit_ridge",
    "fit_transform",
    "import_vectors",
    "ingest",
    "list_indexes",
    "list_mixes",
    "list_probes",
    "list_transforms",
    "migrate",
    "open",
    "repair",
    "reproduce",
    "show_transform",
    "verify",
]


def __getattr__(name: str) -> Any:
    # Names are loaded when first used, so that "repstore --help" does not wait for duckdb and pyarrow.
    if name not in _HOMES:
        raise AttributeError(f"module 'repstore' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__  # for completion, before they are loaded
