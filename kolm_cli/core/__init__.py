"""What every stage needs: errors and exit codes, canonical JSON, digests, progress, files."""
