"""Pictures, recordings, and words recognised in pictures."""
