"""Rows that were checked, and frozen so that a run can be repeated."""
