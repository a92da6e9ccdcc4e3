"""An OpenAI-compatible endpoint for a try-out of bundles."""
