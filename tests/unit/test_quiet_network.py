"""Tests in this folder reach nobody."""

import socket

import pytest


def test_a_unit_test_can_not_open_a_connection(free_port: int) -> None:
    with (
        socket.socket() as client,
        pytest.raises(AssertionError, match="a unit test opens a connection"),
    ):
        client.connect(("127.0.0.1", free_port))
