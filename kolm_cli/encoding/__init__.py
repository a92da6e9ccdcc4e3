"""From rows to tensors: rendering, fitting, collating, and checking rows before training."""
