"""Why a hit was found: measured by leaving out, and shown only as far as deletions prove it."""
