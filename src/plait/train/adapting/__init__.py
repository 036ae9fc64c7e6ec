"""Label-free adaptation: plait-mini learns from questions that a user's own documents ask and answer."""
