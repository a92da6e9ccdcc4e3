"""Answering the evaluation pack with a model."""
