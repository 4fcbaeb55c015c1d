"""Delivers what a step reports: metrics and log, from an outbox, in order, each once."""

from __future__ import annotations

import math
import threading
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Set, cast

from ._calls import Asker
from ._errors import GatewayUnreachable, Refused, RequestRefused
from ._generated import REPORT_PROGRESS, LogChunkInput, MetricInput, ReportProgressInput
from ._http import Http
from ._leases import Lease
from ._outbox import Batch, Limits, Outbox
from ._protocol import Backoff, Trouble, log, may_retry, tell

PERIOD_SECONDS = 0.1
"""After a report that emptied the outbox: what comes in this time goes together."""
PIECE = 8 * 1024
"""Characters of one piece of the log."""


class Reporter:
    """The outbox of one step, and the thread that delivers it.

    The gateway removes what it gets twice: a metric by name and iteration, a piece of the log by
    its offset, each within the attempt.
    """

    def __init__(
        self, http_: Http, asker: Asker, lease: Lease, folder: Path, limits: Optional[Limits] = None
    ) -> None:
        self.outbox = Outbox(folder, limits)
        self._http = http_
        self._asker = asker
        self._lease = lease
        self._offset = int(self.outbox.state.get("logOffset") or 0)
        self._attempt = lease.attempt
        self._most: Optional[int] = None
        self._hurry = threading.Event()
        self._given_up = threading.Event()
        self._told: Set[str] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trainyard-report", daemon=True)

    def start(self) -> None:
        """Begins to deliver."""
        self._thread.start()

    def metrics(self, values: Mapping[str, Any], iteration: int) -> None:
        """Takes values. Never waits for the disk or the network."""
        at = now()
        for name, value in values.items():
            number = to_number(value)
            if number is None or not math.isfinite(number):
                self._tell_once(f"{name!r} is left out: {value!r} is not a finite number")
                continue
            self._put({"m": str(name), "v": number, "i": iteration, "t": at})

    def text(self, text: str) -> None:
        """Takes a piece of the log. Never waits for the disk or the network."""
        # What UTF-8 or a text column of PostgreSQL cannot hold.
        clean = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
        at = now()
        for start in range(0, len(clean), PIECE):
            self._put({"l": clean[start : start + PIECE], "t": at})

    def _put(self, entry: Dict[str, Any]) -> None:
        if not self.outbox.put(entry):
            self._tell_once("the outbox is full: values are left out until the gateway is back")

    def finish(self, patience: float) -> bool:
        """Delivers the rest. False if it did not succeed within the patience: it stays on disk."""
        self.outbox.end()
        self._hurry.set()
        deadline = time.monotonic() + patience
        # In small waits, so that Ctrl-C is heard everywhere.
        while not self._done.wait(0.1) and time.monotonic() < deadline:
            pass
        dropped = self.outbox.take_dropped()
        if dropped:
            tell(f"{dropped} values were left out: there was no room for them")
        self._given_up.set()
        return self._done.is_set() and self.outbox.is_empty

    def _run(self) -> None:
        try:
            while not self._given_up.is_set() and not self._lease.lost.is_set():
                batch = self.outbox.peek(self._most, 1.0)
                if batch is None:
                    if self._hurry.is_set() and self.outbox.is_empty:
                        return
                    continue
                self._deliver(batch)
                if self.outbox.is_empty:
                    self._hurry.wait(PERIOD_SECONDS)
        except Exception:
            log.exception("the thread that reports has ended")
        finally:
            self._done.set()

    def _deliver(self, batch: Batch) -> None:
        """Until it is answered."""
        backoff = Backoff(0.2, 3.0)
        trouble = Trouble("report", tell)
        while not self._given_up.is_set() and not self._lease.lost.is_set():
            if self._attempt != self._lease.attempt:
                # The log of another attempt begins again.
                self._attempt, self._offset = self._lease.attempt, 0
            token = self._lease.token
            asker = Asker(self._asker.target, self._asker.timeout, 0.0)
            try:
                report = self._report(token, batch)
                answer = self._http.run(asker.ask(REPORT_PROGRESS, {"input": report}))
            except Refused as error:
                try:
                    self._lease.learn_refusal(token, error)
                except Refused:
                    self._take_refusal(batch, error)
                    return
                continue
            except (GatewayUnreachable, RequestRefused) as error:
                if not may_retry(error):
                    if isinstance(error, RequestRefused) and error.code == "UNAUTHENTICATED":
                        self._lease.lost.set()
                        return
                    self._take_refusal(batch, error)
                    return
                pause = (error.retry_after or 0.0) + backoff.failed()
                trouble.failed(str(error), pause)
                self._given_up.wait(pause)
                continue
            trouble.works()
            self._lease.learn(answer)
            self._offset = max(self._offset, answer.next_log_offset)
            for each in answer.ignored_metrics:
                if each.value != each.stored_value:
                    self._tell_once(
                        f"{each.name!r} of step {each.iteration} stays {each.stored_value}: "
                        "a value is reported once for each step"
                    )
            self.outbox.drop(batch, {"logOffset": self._offset})
            self._most = None if self._most is None else self._most * 2
            if self._most is not None and self._most >= 400:
                self._most = None
            return

    def _report(self, token: str, batch: Batch) -> ReportProgressInput:
        metrics: List[MetricInput] = []
        pieces: List[LogChunkInput] = []
        offset = self._offset
        for entry in batch.entries:
            if "m" in entry:
                metrics.append(
                    {
                        "name": entry["m"],
                        "value": entry["v"],
                        "iteration": entry["i"],
                        "at": entry["t"],
                    }
                )
            elif "l" in entry:
                pieces.append({"text": entry["l"], "offset": offset, "at": entry["t"]})
                offset += len(entry["l"].encode("utf-8"))
        return {"leaseToken": token, "metrics": metrics, "log": pieces}

    def _take_refusal(self, batch: Batch, error: Exception) -> None:
        """Something in it is refused. Halves are tried until it is found, and left out."""
        if batch.count > 1:
            self._most = (batch.count + 1) // 2
            return
        self._tell_once(f"left out {batch.entries}: {error}")
        self.outbox.drop(batch)

    def _tell_once(self, message: str) -> None:
        if message not in self._told and len(self._told) < 100:
            self._told.add(message)
            tell(message)


def now() -> str:
    """The time as the API takes it."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def to_number(value: Any) -> Optional[float]:
    """A number, or an array of NumPy or torch with one element. None for anything else."""
    if isinstance(value, (bool, int, float)):
        return float(value)
    item = getattr(value, "item", None)
    if item is None:
        return None
    try:
        return float(item())
    except (TypeError, ValueError, RuntimeError):
        return None


def to_plain(value: Any) -> Any:
    """The same value as JSON has it: arrays become lists, and what JSON lacks becomes text."""
    if isinstance(value, Mapping):
        pairs = cast("Mapping[Any, Any]", value)
        return {str(key): to_plain(each) for key, each in pairs.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_plain(each) for each in cast("Iterable[Any]", value)]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if hasattr(value, "tolist"):
        return to_plain(value.tolist())
    return str(value)
