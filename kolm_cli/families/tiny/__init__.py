"""Random, untrained bases of the real classes: a spec can be smoke-tested without a download.

One module a family, named as in the catalog of families, with its `VARIANTS`.
"""
