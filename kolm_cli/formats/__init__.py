"""Rows of many formats, read into conversations with their images."""
