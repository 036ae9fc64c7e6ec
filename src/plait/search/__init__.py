"""Query to hits: score each lane, fuse, explain."""
