"""The file formats inside a bundle: each module writes one and reads it strictly."""
