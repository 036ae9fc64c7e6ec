"""Files to documents, and benchmark collections."""
