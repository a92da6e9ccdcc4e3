"""Checks of the verifier, one module each."""
