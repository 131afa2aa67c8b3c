"""Vectors out of a store, into the files of other programs: one module per format."""
