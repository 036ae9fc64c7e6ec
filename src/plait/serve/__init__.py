"""Thin skins over a library: an HTTP service with a search page, and tools for assistants (MCP)."""
