"""What the parts of the default model bring, each measured on manuals that were left out."""
