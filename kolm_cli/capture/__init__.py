"""Captured pairs: one record, the store, importers, the proxy."""
