"""``python -m repstore`` is the command line."""

from repstore.cli import main

main()
