"""The `.kolm` file: writing, signing, reading and verifying it."""
