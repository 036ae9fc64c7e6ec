"""Training files: what is asked, what answers it, and what does not."""
