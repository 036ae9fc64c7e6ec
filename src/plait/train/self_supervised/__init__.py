"""Training rows from documents without a single label: what a document says of itself, asked for."""
