"""Trainyard for a script, in one file without dependencies: copy it beside your own script.

The agent passes everything in environment variables (TRAINYARD_URL, TRAINYARD_TOKEN, …). Without
them, the same functions work on local files, so you can try a script without a gateway.
"""

import hashlib
import http.client
import json
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

# A restarting gateway is back within seconds. Giving up at once would lose the device's work.
GATEWAY_PATIENCE_SECONDS = 60

LATEST_FRAGMENT = """
query LatestFragment($id: ID!, $name: String!) {
  job(id: $id) { latestFragment(filename: $name) { downloadUrl sha256 sizeBytes } }
}"""

# The gateway is on this machine or in its network, so the web's proxy is not used.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def settings(defaults):
    """The job's settings over `defaults`. Settings that `defaults` does not have are left out."""
    path = os.environ.get("TRAINYARD_SETTINGS")
    given = json.loads(Path(path).read_text("utf-8"))["settings"] if path else {}
    return {name: given.get(name, default) for name, default in defaults.items()}


def metric(iteration=None, **values):
    """Reports numbers by name. The agent sends each line at once."""
    path = os.environ.get("TRAINYARD_METRICS")
    if path:
        point = values if iteration is None else {"iteration": iteration, **values}
        with open(path, "a", encoding="utf-8") as lines:
            lines.write(json.dumps(point) + "\n")


def output(filename):
    """Where to write a file that becomes a fragment of the job when the step ends."""
    folder = Path(os.environ.get("TRAINYARD_FRAGMENTS", "fragments"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder / filename


def fragment(filename):
    """Downloads the job's newest fragment of this name, checks its sha256, and returns its path.

    Raises LookupError if the job has none, ValueError if the bytes differ from the stored ones,
    RuntimeError if the gateway refuses, OSError if it stays unreachable.
    """
    if not os.environ.get("TRAINYARD_URL"):
        return output(filename)
    job_id = os.environ["TRAINYARD_JOB_ID"]
    job = _query(LATEST_FRAGMENT, {"id": job_id, "name": filename})["job"]
    stored = job and job["latestFragment"]
    if not stored:
        raise LookupError(f"job {job_id} has no fragment named {filename}")
    content = _request(urllib.request.Request(_url(stored["downloadUrl"])))
    if hashlib.sha256(content).hexdigest() != stored["sha256"]:
        raise ValueError(f"{filename} arrived damaged: {len(content)} of {stored['sizeBytes']} bytes")
    path = Path("inputs") / filename  # outside fragments/, from which it would be uploaded again
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _query(document, variables):
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {os.environ['TRAINYARD_TOKEN']}"}
    body = json.dumps({"query": document, "variables": variables}).encode("utf-8")
    answer = json.loads(_request(urllib.request.Request(_url("/graphql"), body, headers)))
    if answer.get("errors"):
        raise RuntimeError("; ".join(error["message"] for error in answer["errors"]))
    return answer["data"]


def _url(path):
    return os.environ["TRAINYARD_URL"].rstrip("/") + path


def _request(request):
    deadline = time.monotonic() + GATEWAY_PATIENCE_SECONDS
    while True:
        try:
            with _direct.open(request, timeout=30) as response:
                return response.read()
        except urllib.error.HTTPError as error:
            if error.code < 500 or time.monotonic() > deadline:
                raise RuntimeError(f"{request.full_url.split('?')[0]} answered {error.code}: {error.read(500)!r}") from None
        except (OSError, http.client.HTTPException):
            if time.monotonic() > deadline:
                raise
        time.sleep(0.5)
