"""Corpus, queries and judgements in the formats people publish."""
