"""The catalog: one DuckDB file that says what a store holds, and SQL over all of it. DuckDB lives here."""

from repstore.storage.catalog.publishing import is_current, publish_catalog
from repstore.storage.catalog.reading import Catalog
from repstore.storage.catalog.session import Contents, PythonFunction, RunShown, Session

__all__ = ["Catalog", "Contents", "PythonFunction", "RunShown", "Session", "is_current", "publish_catalog"]
