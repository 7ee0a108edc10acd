"""The embedded parts, each as a real process."""

from tests.support.valkey import ValkeyServer, valkey_server

__all__ = ["valkey_server"]


def test_valkey_killed_and_started_again_keeps_its_data(valkey_server: ValkeyServer) -> None:
    client = valkey_server.client()
    client.set("a", "b")
    client.execute_command("CONFIG", "SET", "appendfsync", "always")
    client.set("c", "d")
    valkey_server.restart()
    assert client.mget("a", "c") == ["b", "d"]
