"""https, and proxies: blocking and with asyncio."""

from __future__ import annotations

import asyncio
import base64
import os
import shutil
import socket
import ssl
import subprocess
import threading
import unittest
from pathlib import Path
from typing import List
from unittest import mock
from urllib.parse import urlsplit

from support import GatewayTest

import trainyard as ty

NAME = "gateway.test"


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while True:
            data = source.recv(65_536)
            if not data:
                break
            target.sendall(data)
    except OSError:
        pass
    for each in (source, target):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Server:
    """Passes connections on. With a context, it speaks TLS. As a proxy, it takes CONNECT."""

    def __init__(self, target: int, context: "ssl.SSLContext | None" = None, proxy: bool = False) -> None:
        self._target = target
        self._context = context
        self._is_proxy = proxy
        self.heads: List[str] = []
        """What a proxy was asked for."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        far = socket.create_connection(("127.0.0.1", self._target))
        try:
            if self._context is not None:
                near = self._context.wrap_socket(near, server_side=True)
            if self._is_proxy:
                head = near.recv(65_536)
                self.heads.append(head.decode())
                if head.startswith(b"CONNECT"):
                    near.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                else:
                    far.sendall(head)
        except OSError:
            near.close()
            far.close()
            return
        threading.Thread(target=pump, args=(near, far), daemon=True).start()
        pump(far, near)


class HttpsTest(GatewayTest):
    context: ssl.SSLContext

    @classmethod
    def setUpClass(cls) -> None:
        if shutil.which("openssl") is None:
            raise unittest.SkipTest("openssl, which makes the certificate, is not installed")
        super().setUpClass()
        folder = Path(cls.folder.name)
        subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
        files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files],
            check=True,
            capture_output=True,
        )
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        cls.context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        cls.gateway = urlsplit(cls.client.url).port or 0
        cls.tls = Server(cls.gateway, own)

    def through(self, proxy: Server) -> None:
        """Sends what follows through a proxy with a password."""
        address = f"http://user:p%40ss@127.0.0.1:{proxy.port}"
        patch = mock.patch.dict(os.environ, {"https_proxy": address, "http_proxy": address, "no_proxy": ""})
        patch.start()
        self.addCleanup(patch.stop)

    def check(self, url: str) -> None:
        """Asks, follows a log and moves a file, blocking and with asyncio."""
        client = ty.Client(url, context=self.context)
        job = client.project(self.project.name).submit("echo hi")
        self.assertEqual("".join(piece.text for piece in job.log()), "hi\n")
        self.assertEqual(job.files.upload(b"x" * 100_000, "x").read_bytes(), b"x" * 100_000)

        async def main() -> str:
            far = ty.AsyncClient(url, context=self.context)
            return "".join([piece.text async for piece in (await far.job(job.id)).log()])

        self.assertEqual(asyncio.run(main()), "hi\n")

    def test_https_works_through_a_proxy_that_wants_a_password(self) -> None:
        proxy = Server(self.tls.port, proxy=True)
        self.through(proxy)
        self.check(f"https://{NAME}:{self.tls.port}")
        word = base64.b64encode(b"user:p@ss").decode()
        self.assertGreaterEqual(len(proxy.heads), 4)
        for head in proxy.heads:
            self.assertTrue(head.startswith(f"CONNECT {NAME}:{self.tls.port} "), head)
            self.assertIn(f"Proxy-Authorization: Basic {word}", head)
            self.assertNotIn("Bearer", head)

    def test_plain_http_works_through_a_proxy(self) -> None:
        proxy = Server(self.gateway, proxy=True)
        self.through(proxy)
        self.check(f"http://{NAME}")
        self.assertTrue(all(f" http://{NAME}/" in head for head in proxy.heads), proxy.heads)

    def test_a_certificate_that_is_not_trusted_is_refused_at_once(self) -> None:
        proxy = Server(self.tls.port, proxy=True)
        self.through(proxy)
        url = f"https://{NAME}:{self.tls.port}"
        with self.assertRaisesRegex(ty.GatewayUnreachable, "certificate"):
            ty.Client(url).viewer()
        with self.assertRaisesRegex(ty.GatewayUnreachable, "certificate"):
            asyncio.run(ty.AsyncClient(url).viewer())
        with self.assertRaisesRegex(ty.GatewayUnreachable, "certificate"):
            next(ty.Job(ty.Client(url), self.project.submit("true").data).log())
        self.assertLessEqual(len(proxy.heads), 3)


if __name__ == "__main__":
    unittest.main()
