"""Random, untrained bases of the real classes: a spec can be smoke-tested without a download."""
