"""HTML and what becomes HTML: pages, Markdown, e-books, drawings."""
