"""Training: partition, collation, loss, launch, evidence."""
