"""ReT and ReT-2 for inference only: the same vectors, of folded weights packed for the processor."""
