"""An MCP client that gets its tokens by itself, and prints what its user would read.

    client.py [--url URL] [--issuer URL] [--token TOKEN | --no-token] [--old] STEP...

A step is `tools`, `prompt NAME KEY=VALUE...`, `read URI`, `wait SECONDS`, or the name of a tool and its arguments: `search_docs query=refunds`.
"""

import argparse

import anyio
import httpx2
from mcp import Client, MCPError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthMetadata


class Tokens:
    """Keeps the tokens, and says which scopes each new one has."""

    tokens = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens
        print(f"new token: {tokens.scope}", flush=True)

    async def get_client_info(self):
        return None


async def take(step, client):
    name, *rest = step.split()
    if name == "wait":
        await anyio.sleep(float(rest[0]))
        return "done"
    if name == "tools":
        return ", ".join(tool.name for tool in (await client.list_tools()).tools)
    if name == "read":
        return (await client.read_resource(rest[0])).contents[0].text
    if name == "prompt":
        name, *rest = rest
        prompt = await client.get_prompt(name, dict(word.split("=", 1) for word in rest))
        return prompt.messages[0].content.text
    result = await client.call_tool(name, dict(word.split("=", 1) for word in rest))
    return result.content[0].text


async def run(options):
    headers, auth = {}, None
    if options.token:
        headers["authorization"] = f"Bearer {options.token}"
    elif not options.no_token:
        auth = ClientCredentialsOAuthProvider(
            options.url, Tokens(), "agent", "agent-secret-6d1f0b7c93e2a458", issuer=options.issuer
        )
        # This SDK takes no metadata without an authorization endpoint, which a server for machines alone does not have
        # (RFC 8414 §2): so it is told.
        auth.context.oauth_metadata = OAuthMetadata(
            issuer=options.issuer,
            authorization_endpoint=f"{options.issuer}/none",
            token_endpoint=f"{options.issuer}/token",
        )
    async with httpx2.AsyncClient(headers=headers, auth=auth, timeout=20) as http:
        transport = streamable_http_client(options.url, http_client=http)
        async with Client(transport, mode="legacy" if options.old else "auto") as client:
            for step in options.steps:
                try:
                    print(f"{step}: {await take(step, client)}", flush=True)
                except MCPError as error:
                    print(f"{step}: refused: {error}", flush=True)


arguments = argparse.ArgumentParser()
arguments.add_argument("--url", default="http://localhost:10000/mcp")
arguments.add_argument("--issuer", default="http://localhost:9000")
arguments.add_argument("--token")
arguments.add_argument("--no-token", action="store_true")
arguments.add_argument("--old", action="store_true", help="speak the version before 2026-07-28")
arguments.add_argument("steps", nargs="+")
try:
    anyio.run(run, arguments.parse_args())
except Exception as error:
    while getattr(error, "exceptions", None):  # groups of tasks wrap what went wrong in one of them
        error = error.exceptions[0]
    raise SystemExit(f"not connected: {error}") from None
