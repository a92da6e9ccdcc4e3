"""Metrics, one module each, and the K-score computed from them."""
