"""Rows of many formats, read into conversations with their images."""

from kolm_cli.capture.importers.read import RowReader, read_rows
from kolm_cli.capture.importers.row import ImportedRow

__all__ = ["ImportedRow", "RowReader", "read_rows"]
