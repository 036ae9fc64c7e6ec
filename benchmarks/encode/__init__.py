"""How fast ReT and plait-mini encode on one core, and what the folded, packed forms gain."""
