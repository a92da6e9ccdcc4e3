"""Where bundles are kept and shared: a local OCI image layout, and any remote OCI registry."""
