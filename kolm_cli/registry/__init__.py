"""Where bundles are kept: the local store and OCI registries."""
