"""Office documents, sheets, delimited tables and notebooks."""
