"""The report of a bundle: one page that opens anywhere, made of what the bundle proves."""
