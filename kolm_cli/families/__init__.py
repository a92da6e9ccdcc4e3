"""What kolm knows about each model family."""
