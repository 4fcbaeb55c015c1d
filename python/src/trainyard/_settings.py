"""Finds the gateway and its key: arguments, environment, then a credentials file.

The credentials file of a user is `credentials.json` in the folder `trainyard` of the user's
configuration: `$XDG_CONFIG_HOME` (`~/.config`), on Windows `%APPDATA%`. TRAINYARD_CREDENTIALS names
another one. Only its user can read it (mode 0600):

    {
      "default": "https://trainyard.example.com",
      "gateways": {
        "https://trainyard.example.com": {"token": "tyk_…", "projectId": "proj_…"}
      }
    }

`trainyard login` writes it. `default` is the gateway to use where none is given. `projectId`, which
may be left out, is the default project there. A gateway that was started with `npm start` writes the
key of its machine to `data/credentials.json`: {"url", "token", "projectId"}. In that folder it comes
before the user's default, and it is used only for a gateway on this machine.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any, Dict, Optional
from urllib.parse import urlsplit

from ._protocol import Target, as_object, is_https

DEFAULT_URL = "http://127.0.0.1:4000"


def find_target(
    url: Optional[str] = None, token: Optional[str] = None, project: Optional[str] = None
) -> Target:
    """The gateway to use, and the key for it.

    Each of the three is the argument, else the variable TRAINYARD_URL, TRAINYARD_TOKEN (or the
    content of the file that TRAINYARD_TOKEN_FILE names), TRAINYARD_PROJECT_ID, else from a
    credentials file. A key is never sent to a gateway that it was not written for.
    Raises ValueError if the URL is not one of http or https.
    """
    env = os.environ
    url = url or env.get("TRAINYARD_URL") or None
    token = token or env.get("TRAINYARD_TOKEN") or _read_token_file(env.get("TRAINYARD_TOKEN_FILE"))
    project = project or env.get("TRAINYARD_PROJECT_ID") or None
    if url is not None:
        is_https(url)
        url = url.rstrip("/")
    if token is None:
        named = _of_user(url) if url is not None else None
        kept = named or _of_machine(url) or _of_user(url)
        if kept is not None:
            return Target(kept.url, kept.token, project or kept.project_id)
    return Target(url or DEFAULT_URL, token, project)


def _of_user(url: Optional[str]) -> Optional[Target]:
    content = _read_json(credentials_file())
    gateways = as_object(content.get("gateways")) or {}
    chosen = url or content.get("default")
    if not isinstance(chosen, str):
        return None
    entries = {known.rstrip("/"): entry for known, entry in gateways.items()}
    kept = as_object(entries.get(chosen.rstrip("/")))
    if kept is None:
        return None
    return Target(chosen.rstrip("/"), kept.get("token"), kept.get("projectId"))


def _of_machine(url: Optional[str]) -> Optional[Target]:
    kept = _read_json(Path(os.environ.get("TRAINYARD_DATA_DIR") or "data") / "credentials.json")
    known, token = kept.get("url"), kept.get("token")
    if not isinstance(known, str) or not isinstance(token, str) or not _is_loopback(known):
        return None
    if url is not None and not _is_loopback(url):
        return None
    return Target((url or known).rstrip("/"), token, kept.get("projectId"))


def credentials_file() -> Path:
    """The user's credentials file. It may not exist."""
    chosen = os.environ.get("TRAINYARD_CREDENTIALS")
    return Path(chosen) if chosen else _user_folder("XDG_CONFIG_HOME", ".config") / "credentials.json"


def state_folder() -> Path:
    """Where this package keeps what must outlive a process: `~/.local/state/trainyard`."""
    chosen = os.environ.get("TRAINYARD_STATE_DIR")
    return Path(chosen) if chosen else _user_folder("XDG_STATE_HOME", ".local/state")


def _user_folder(variable: str, default: str) -> Path:
    if sys.platform == "win32":
        base = os.environ.get("APPDATA") or str(Path.home() / "AppData" / "Roaming")
    else:
        base = os.environ.get(variable) or str(Path.home() / default)
    return Path(base) / "trainyard"


def _read_json(path: Path) -> Dict[str, Any]:
    try:
        return as_object(json.loads(path.read_text("utf-8"))) or {}
    except (OSError, ValueError):
        # Missing, or not this user's: without a key, the gateway's refusal explains it.
        return {}


def _read_token_file(path: Optional[str]) -> Optional[str]:
    return Path(path).read_text("utf-8").strip() if path else None


def _is_loopback(url: str) -> bool:
    """This machine's key is only sent to this machine."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", host) is not None
