"""Hard negatives for training rows, found by searching for each query with a model."""
