"""What a run needs of a GPU, counted without one: the training step on the meta device."""
