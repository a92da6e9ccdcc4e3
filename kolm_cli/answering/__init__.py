"""Having a model answer rows, greedily and in batches."""
