"""kolm: fine-tune open vision-language models, and prove what was done."""

__all__ = ["__version__"]

__version__ = "0.1.0"
