"""An MCP server with tools, a prompt and documents. It checks no tokens: the filter in front of it does.

    server.py PORT
"""

import sys

from mcp.server import MCPServer
from mcp.server.mcpserver import Context

server = MCPServer("helpdesk")


@server.tool()
def search_docs(query: str) -> str:
    """Searches the handbook."""
    return f"1 page about {query}"


@server.tool()
def close_ticket(id: str, context: Context) -> str:
    """Closes a ticket."""
    return f"closed {id} for {context.headers['x-auth-client-id']}"


@server.tool()
def delete_user(name: str) -> str:
    """Deletes a user."""
    return f"deleted {name}"


@server.tool()
def wipe_disk() -> str:
    """Deletes everything."""
    return "gone"


@server.prompt()
def answer(question: str) -> str:
    """How to answer a customer."""
    return f"Answer politely: {question}"


@server.resource("docs://refunds")
def refunds() -> str:
    """The page about refunds."""
    return "Within 30 days."


@server.resource("docs://rückgabe")
def refunds_in_german() -> str:
    """The same in German."""
    return "Innerhalb von 30 Tagen."


@server.resource("internal://salaries")
def salaries() -> str:
    """Nobody's business."""
    return "secret"


server.run("streamable-http", port=int(sys.argv[1]))
