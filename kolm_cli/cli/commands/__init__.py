"""One module a command (or a small group of commands with one noun)."""
