"""How records spell a conversation: one module a shape."""
