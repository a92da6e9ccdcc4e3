"""The ZIP that holds a bundle: writing it, and reading it without trusting it."""
