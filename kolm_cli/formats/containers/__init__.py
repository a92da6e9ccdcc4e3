"""Where records stand: one module a kind of file or folder."""
