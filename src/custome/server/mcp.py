"""Knowledge bases for other programs, over the Model Context Protocol: `search` finds passages, `read` shows what stands around one.

Source: https://modelcontextprotocol.io, the official SDK.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..apps.knowledge.shelf import Shelf
from ..errors import CustomeError, InputError
from ..ports import LOOPBACK, free_port

if TYPE_CHECKING:
    from mcp.server.mcpserver import MCPServer

MOST = 20
"""Passages at once."""


def mcp_server(shelf: Shelf, names: Sequence[str] = ()) -> MCPServer:
    """The tools over some bases, all of them unless named.

    Raises:
        InputError: the SDK is not installed, or there is no such base.
    """
    try:
        from mcp.server.mcpserver import MCPServer
        from mcp.server.mcpserver.exceptions import ToolError
    except ImportError as error:
        raise InputError("没有装 MCP 的包", "pip install 'llm-custome[mcp]'") from error

    for name in names:
        shelf.get(name)
    server = MCPServer(
        "custome-knowledge",
        title="大模型定制化 · 知识库",
        instructions="Passages of the user's own documents. Cite the document and the quoted words.",
    )

    def chosen(base: str) -> list[str]:
        known = list(names) or shelf.names()
        if base and base not in known:
            raise ToolError(f"没有知识库 {base!r}；现在有：{'、'.join(known)}")
        return [base] if base else known

    @server.tool()
    def search(question: str, base: str = "", most: int = 5) -> list[dict[str, Any]]:
        """Find passages of the user's documents for a question in plain words.

        Args:
            question: what is looked for, best in the language of the documents.
            base: one knowledge base; all of them if empty.
            most: how many passages, at most 20.
        """
        found: list[tuple[float, dict[str, Any]]] = []
        for name in chosen(base):
            for hit in shelf.get(name).search(question, max(1, min(most, MOST))):
                passage = hit.passage
                row = {
                    "base": name,
                    "document": passage.name,
                    "heading": " / ".join(passage.heading),
                    "page": passage.page,
                    "start": passage.start,
                    "score": round(hit.score, 2),
                    "text": passage.text,
                }
                found.append((-hit.score, row))
        found.sort(key=lambda one: one[0])
        return [row for _, row in found[: max(1, min(most, MOST))]]

    @server.tool()
    def read(base: str, document: str, start: int) -> str:
        """Read the passage at a place that `search` found, with the one before and the one after.

        Args:
            base: the knowledge base.
            document: the document's name, as `search` gives it.
            start: the offset that `search` gives.
        """
        if not chosen(base):
            raise ToolError("还没有知识库")
        try:
            return "\n".join(
                one.text
                for one in shelf.get(*chosen(base)[:1]).around(document, max(0, min(start, 2**53)))
            )
        except CustomeError as error:
            raise ToolError(error.message) from error

    return server


def serve_mcp(
    shelf: Shelf, names: Sequence[str], *, http: bool, host: str, port: int | None
) -> int:
    """Serve until the client leaves, or Ctrl-C.

    Raises:
        InputError: over HTTP it asks nobody for a key, so it is for this computer only.
    """
    if http and host not in LOOPBACK:
        raise InputError(
            f"MCP 不问密钥，不能对外开在 {host!r}",
            "去掉 --host；别的机器用 ssh -L 转过来，或走标准输入输出",
        )
    server = mcp_server(shelf, names)
    if not http:
        server.run("stdio")
        return 0
    server.run("streamable-http", host=host, port=free_port(host, port), stateless_http=True)
    return 0
