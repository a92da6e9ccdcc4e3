"""From answers to a verdict: metrics, interval, K-score, gate. Arithmetic, without torch."""
