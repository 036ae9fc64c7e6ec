"""ReT (arXiv 2503.01980) in transformers form."""
