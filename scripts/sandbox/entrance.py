"""Where connections arrive. A drill can close it for a while, as if the gateway were not there."""

import asyncio
import socket

import uvicorn


class Entrance:
    """Closed, it refuses connections as a machine without a server does."""

    def __init__(self) -> None:
        self._server: uvicorn.Server | None = None
        self._reopening: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        return self._server is not None and not self._server.servers

    def belongs_to(self, server: uvicorn.Server) -> None:
        self._server = server

    def close(self, seconds: float) -> None:
        """Nobody listens for so long. Open connections end, after the answer that they wait for."""
        server = self._server
        if server is None or not server.servers:  # not open yet, or closed already
            return
        (listening,) = server.servers
        server.servers = []
        address, family = listening.sockets[0].getsockname(), listening.sockets[0].family
        listening.close()
        kept = _bound(address, family)
        for connection in list(server.server_state.connections):
            connection.shutdown()
        self._reopening = asyncio.create_task(_reopen(server, kept, seconds))


def _bound(address: tuple[str, int], family: int) -> socket.socket:
    """Keeps the port: taken but not listened on, it refuses, and nobody else can have it."""
    kept = socket.socket(family, socket.SOCK_STREAM)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(address)
    return kept


async def _reopen(server: uvicorn.Server, kept: socket.socket, seconds: float) -> None:
    config = server.config

    def connected() -> asyncio.Protocol:
        protocol = config.http_protocol_class
        return protocol(  # type: ignore[call-arg]
            config=config, server_state=server.server_state, app_state=server.lifespan.state
        )

    with kept:
        await asyncio.sleep(seconds)
        loop = asyncio.get_running_loop()
        listening = await loop.create_server(
            connected, sock=kept.dup(), ssl=config.ssl, backlog=config.backlog
        )
    server.servers = [listening]
