"""One training run: its folder, its orders, the launcher and the worker."""
