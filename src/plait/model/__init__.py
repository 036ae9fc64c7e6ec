"""The ReT models in transformers form, and plait-mini: torch only, no files of the user."""
