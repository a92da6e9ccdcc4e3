"""Model code of kolm's own, for families that transformers does not have.

One package a family. Its `register()` makes transformers' Auto classes answer for the published
`model_type`, so that the code which comes with a checkpoint is never needed.
"""
