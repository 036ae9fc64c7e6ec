"""plait on documents that nobody made for it."""
