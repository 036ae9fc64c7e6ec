"""Tools for assistants over the Model Context Protocol, spoken on standard input and output.

server.py      the server, and whose standard output is
tools.py       what tools there are
forms.py       what they take
finding.py     search and similar
looking.py     open_page and crop
listing.py     list_documents, count and status
bringing.py    add
answers.py     what a tool says: words, structured content, pictures
pictures.py    pictures no larger than an assistant can take in
"""

from plait.serve.mcp.server import create_server, run_stdio

__all__ = ["create_server", "run_stdio"]
