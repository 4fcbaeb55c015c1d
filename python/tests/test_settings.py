"""Where a client finds its gateway and key."""

from __future__ import annotations

import json
import os
import tempfile
import unittest
from pathlib import Path
from typing import Any
from unittest import mock

import support  # noqa: F401

from trainyard._http import proxy_for
from trainyard._settings import find_target
from urllib.parse import urlsplit


class SettingsTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.environment: Any = {
            "TRAINYARD_CREDENTIALS": str(self.folder / "credentials.json"),
            "TRAINYARD_DATA_DIR": str(self.folder / "data"),
        }
        patch = mock.patch.dict(os.environ, self.environment, clear=True)
        patch.start()
        self.addCleanup(patch.stop)

    def write(self, name: str, content: Any) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))

    def test_arguments_win_over_the_environment_and_that_over_files(self) -> None:
        self.write(
            "credentials.json",
            {
                "default": "https://a.example/",
                "gateways": {"https://a.example": {"token": "file", "projectId": "proj_1"}},
            },
        )
        found = find_target()
        self.assertEqual(
            (found.url, found.token, found.project_id), ("https://a.example", "file", "proj_1")
        )
        with mock.patch.dict(os.environ, {"TRAINYARD_TOKEN": "env", "TRAINYARD_URL": "http://b/"}):
            self.assertEqual((find_target().url, find_target().token), ("http://b", "env"))
            self.assertEqual(find_target("http://c", "given", "p").token, "given")

    def test_a_key_is_not_sent_to_another_gateway(self) -> None:
        self.write(
            "credentials.json",
            {"default": "https://a.example", "gateways": {"https://a.example": {"token": "file"}}},
        )
        self.write("data/credentials.json", {"url": "http://127.0.0.1:4000", "token": "machine"})
        self.assertIsNone(find_target("https://evil.example").token)
        self.assertEqual(find_target("https://a.example").token, "file")
        self.assertEqual(find_target("http://localhost:4001").token, "machine")

    def test_the_gateway_of_this_folder_comes_before_the_default_of_the_user(self) -> None:
        gateways = {"https://a.example": {"token": "a"}, "http://127.0.0.1:5000": {"token": "five"}}
        self.write("credentials.json", {"default": "https://a.example", "gateways": gateways})
        self.assertEqual(find_target().token, "a")
        self.write("data/credentials.json", {"url": "http://127.0.0.1:4000", "token": "machine"})
        self.assertEqual(find_target().token, "machine")
        self.assertEqual(find_target("http://127.0.0.1:5000").token, "five")

    def test_the_key_of_a_gateway_on_this_machine_is_found_in_its_folder(self) -> None:
        self.write("data/credentials.json", {"url": "http://127.0.0.1:4000", "token": "machine"})
        self.assertEqual(find_target().token, "machine")
        self.write("data/credentials.json", {"url": "http://10.0.0.1:4000", "token": "machine"})
        self.assertIsNone(find_target().token)

    def test_a_broken_credentials_file_is_like_none(self) -> None:
        for content in ([], {"gateways": []}, {"default": 1}, "x"):
            self.write("credentials.json", content)
            self.assertEqual(find_target().url, "http://127.0.0.1:4000")

    def test_a_url_of_another_scheme_is_refused(self) -> None:
        with self.assertRaises(ValueError):
            find_target("ftp://a.example")

    def test_a_gateway_on_this_machine_is_asked_without_the_proxy(self) -> None:
        with mock.patch.dict(os.environ, {"http_proxy": "http://proxy:3128", "no_proxy": "near"}):
            for url in ("http://127.0.0.1:4000", "http://localhost", "http://[::1]:1", "http://near"):
                self.assertIsNone(proxy_for(urlsplit(url)), url)
            found = proxy_for(urlsplit("http://far.example"))
            self.assertEqual(found and found.netloc, "proxy:3128")


if __name__ == "__main__":
    unittest.main()
