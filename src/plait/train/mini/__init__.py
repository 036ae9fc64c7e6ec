"""How the shipped heads of plait-mini are trained: cached features, self-made queries, small fits."""
