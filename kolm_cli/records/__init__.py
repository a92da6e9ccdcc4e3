"""The nouns that every stage speaks of: a conversation, its images, a row."""
