"""Served parity: whether a server answers as the bundle did when it was scored."""
