"""How the step of a run is claimed and ended, by its own process or by a later one."""

from __future__ import annotations

import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Mapping, Optional

from ._calls import cancel_job
from ._errors import Refused, RequestRefused
from ._generated import CLAIM_STEP, COMPLETE_STEP, FAIL_STEP, InvalidState, StaleLease
from ._leases import Lease
from ._outbox import FolderInUse, read_json, write_json
from ._reporter import Reporter
from ._settings import state_folder

if TYPE_CHECKING:
    from ._client import Client

LEASE_SECONDS = 60.0
"""How long the gateway waits for the process of a run that does not answer."""


def hold(client: Client, token: str, recover: Callable[[], Optional[str]]) -> Lease:
    """The lease of a run's step. Not yet renewed."""
    return Lease(client.http, client.asker, token, LEASE_SECONDS, recover)


def claim(client: Client, job_id: str, *, wait: bool) -> Optional[str]:
    """Claims the only step of a job. Returns the lease's token, None if it cannot be claimed.

    If the answer to a first try was lost, the step is held by nobody until that lease has expired:
    unless `wait` is False, that time is waited.
    """
    deadline = time.monotonic() + (LEASE_SECONDS + 10.0 if wait else 0.0)
    while True:
        try:
            payload = client.request(
                CLAIM_STEP,
                {"input": {"jobId": job_id, "stepNumber": 0, "leaseSeconds": LEASE_SECONDS}},
            )
            return payload.lease.token
        except InvalidState as refusal:
            if refusal.status != "RUNNING" or time.monotonic() >= deadline:
                return None
        except (Refused, RequestRefused):
            return None
        time.sleep(1.0)


def outcome_of(error: Optional[BaseException], output: Dict[str, Any]) -> Dict[str, Any]:
    """How a run ended, as it is kept on disk."""
    if error is None:
        return {"kind": "COMPLETE", "output": output}
    if isinstance(error, KeyboardInterrupt):
        return {"kind": "CANCEL", "description": "Interrupted."}
    lines = traceback.format_exception_only(type(error), error)
    return {"kind": "FAIL", "description": "".join(lines).strip()[:1000]}


def report_outcome(client: Client, job_id: str, lease: Lease, outcome: Mapping[str, Any]) -> bool:
    """Reports how a run ended. Whether nothing is left to report."""
    while not lease.lost.is_set():
        token = lease.token
        try:
            _report_outcome(client, job_id, token, outcome)
            return True
        except StaleLease as error:
            if client.job(job_id).status in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return True  # The answer to a first report was lost, or the job was cancelled.
            lease.learn_refusal(token, error)
    return True


def _report_outcome(
    client: Client, job_id: str, token: str, outcome: Mapping[str, Any]
) -> None:
    kind = outcome.get("kind")
    if kind == "COMPLETE":
        output = outcome.get("output") or None
        client.request(COMPLETE_STEP, {"input": {"leaseToken": token, "output": output}})
        return
    description = str(outcome.get("description") or "The process ended without finishing the run.")
    if kind == "CANCEL":
        try:
            client.run(cancel_job(client.asker, job_id, description, 30.0))
        except InvalidState:
            return  # It has ended.
    client.request(FAIL_STEP, {"input": {"leaseToken": token, "description": description}})


def runs_folder() -> Path:
    """Where runs keep what they have still to report."""
    return state_folder() / "runs"


def sync(client: Optional[Client] = None) -> int:
    """Delivers what ended processes of this machine could not, and ends their jobs.

    A run whose process was killed fails. Returns the number of runs that are done. Runs of other
    gateways than the client's are left alone.
    """
    from ._client import Client as Make

    client = client or Make()
    folder = runs_folder()
    done = 0
    for each in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _sync_one(client, each):
            done += 1
    return done


def _sync_one(client: Client, folder: Path) -> bool:
    note = read_json(folder / "run.json")
    if note.get("url") != client.url or not note.get("jobId"):
        return False
    job_id = str(note["jobId"])
    asker = client.asker

    def claim_again() -> Optional[str]:
        token = claim(client, job_id, wait=False)
        if token is not None:
            write_json(folder / "run.json", {**note, "token": token})
        return token

    lease = hold(client, str(note.get("token")), claim_again)
    try:
        reporter = Reporter(client.http, asker, lease, folder)
    except FolderInUse:
        return False  # Its process is still there.
    is_done = False
    lease.start()
    reporter.start()
    try:
        is_done = reporter.finish(max(5.0, client.asker.patience)) and report_outcome(
            client, job_id, lease, note.get("outcome") or {"kind": "FAIL"}
        )
    finally:
        lease.close()
        reporter.outbox.close(remove=is_done or lease.lost.is_set())
    return is_done
