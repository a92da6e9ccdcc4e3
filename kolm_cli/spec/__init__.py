"""The spec: one YAML file, checked whole before anything runs."""
