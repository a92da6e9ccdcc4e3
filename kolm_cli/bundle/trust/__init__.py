"""Which keys may sign which names: the verifier's own decision."""
