"""Export: what was scored, in the forms that other programs serve."""
