"""Rows of many formats, read into conversations with their images."""

from kolm_cli.formats.fields import ImportedRow
from kolm_cli.formats.reader import RowReader, read_rows

__all__ = ["ImportedRow", "RowReader", "read_rows"]
