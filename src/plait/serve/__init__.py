"""HTTP, a web page, and MCP: thin skins over Library."""
