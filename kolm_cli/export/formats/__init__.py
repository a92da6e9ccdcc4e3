"""The export formats, one a module."""
