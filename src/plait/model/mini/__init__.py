"""plait-mini: the default encoder, on frozen MiniLM and a small vision backbone."""
