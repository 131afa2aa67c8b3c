"""The folder on disk: layout, parts, manifest, corpora, catalog, lock."""
