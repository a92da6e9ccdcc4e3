"""Looking through pairs, and accepting, correcting or rejecting each."""
