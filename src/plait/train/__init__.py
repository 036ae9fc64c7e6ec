"""Training: losses, and what computes them over several processes."""
