"""What the tests share: a proxy that cuts connections, and folders of their own.

The gateway is that of TRAINYARD_URL and TRAINYARD_TOKEN: test/python starts one with an agent.
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from typing import Callable, List, Tuple
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))

import trainyard as ty  # noqa: E402

PATIENT = 60.0


def until(condition: Callable[[], bool], what: str) -> None:
    """Waits for a condition, and fails after a minute."""
    deadline = time.monotonic() + PATIENT
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"It did not come: {what}")
        pause.wait(0.01)


class GatewayTest(unittest.TestCase):
    """A test with a client of the gateway, a project of its own, and a state folder of its own."""

    client: ty.Client
    project: ty.Project

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.TemporaryDirectory()
        os.environ["TRAINYARD_STATE_DIR"] = cls.folder.name
        cls.client = ty.Client()
        cls.project = cls.client.create_project(f"{cls.__name__} {os.getpid()}")

    @classmethod
    def tearDownClass(cls) -> None:
        del os.environ["TRAINYARD_STATE_DIR"]
        cls.folder.cleanup()

    def path(self, name: str) -> Path:
        """A path in the folder of this class."""
        return Path(self.folder.name) / name


class Proxy:
    """A TCP proxy before the gateway. It can cut all connections, and refuse new ones."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: List[Tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self._is_away = False
        self.accepted = 0
        """How many connections were made."""
        self.cut_after = 0
        """Cuts each connection after as many bytes of answers. 0: never."""
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts all connections."""
        with self._lock:
            for pair in self._pairs:
                for each in pair:
                    _shut(each)
            self._pairs.clear()

    def leave(self) -> None:
        """Cuts all connections, and the new ones at once."""
        self._is_away = True
        self.cut()

    def come_back(self) -> None:
        """Lets connections through again."""
        self._is_away = False

    def close(self) -> None:
        """Ends it."""
        _shut(self._listener)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            if self._is_away:
                near.close()
                continue
            far = socket.create_connection(self._to)
            with self._lock:
                self._pairs.append((near, far))
            threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
            threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        passed = 0
        try:
            while True:
                data = source.recv(4096)
                if not data:
                    break
                if is_answer and self.cut_after and passed + len(data) > self.cut_after:
                    target.sendall(data[: self.cut_after - passed])
                    break
                passed += len(data)
                target.sendall(data)
        except OSError:
            pass
        _shut(source)
        _shut(target)


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()
