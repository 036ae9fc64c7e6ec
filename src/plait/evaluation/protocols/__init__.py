"""The protocols of published benchmarks: M2KR, M-BEIR, and mteb."""
