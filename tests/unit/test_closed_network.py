"""No test reaches another machine, and none sees the settings of the person who runs it."""

import asyncio
import os
import socket

import pytest

from tests.support.network import NetworkClosed

ELSEWHERE = ("192.0.2.1", 80)  # an address that is reserved for documents


def test_a_connection_to_another_machine_is_refused() -> None:
    with pytest.raises(NetworkClosed, match=r"192\.0\.2\.1"):
        socket.create_connection(ELSEWHERE, timeout=1)


def test_an_event_loops_connection_to_another_machine_is_refused() -> None:
    with pytest.raises(NetworkClosed, match=r"192\.0\.2\.1"):
        asyncio.run(asyncio.wait_for(asyncio.open_connection(*ELSEWHERE), 1))


def test_a_look_up_of_another_machine_is_refused() -> None:
    with pytest.raises(NetworkClosed, match="example"):
        socket.getaddrinfo("broker.example", 443)


def test_loopback_is_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=1).close()


def test_each_test_has_a_home_of_its_own_and_nothing_else_set(tmp_path: object) -> None:
    own = {name: value for name, value in os.environ.items() if name.startswith("OPENBELL_")}
    assert own == {"OPENBELL_HOME": f"{tmp_path}/home"}
