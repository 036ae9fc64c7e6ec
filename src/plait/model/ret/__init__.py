"""ReT as transformers models: configuration, modelling, processing, and the official release's files."""
