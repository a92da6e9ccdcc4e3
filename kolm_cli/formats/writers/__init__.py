"""Writing exported pairs: one class for each kind of file or folder."""
