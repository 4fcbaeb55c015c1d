"""The lease of a claimed step: renewed in a thread, which also learns when the step has to stop."""

from __future__ import annotations

import threading
from typing import Callable, Optional, Protocol

from ._calls import Asker
from ._errors import GatewayUnreachable, Refused, RequestRefused
from ._generated import RENEW_LEASE, InvalidInput, StaleLease
from ._http import Http
from ._protocol import Backoff, Trouble, tell


class Directives(Protocol):
    """What the gateway adds to its answer to a renewal or a report."""

    @property
    def is_cancel_requested(self) -> bool:
        """The job is being cancelled."""
        ...

    @property
    def is_preempted(self) -> bool:
        """More urgent work needs the place."""
        ...

    @property
    def is_draining(self) -> bool:
        """The device should claim no more."""
        ...


class Lease:
    """Renews at a third of its time, so two renewals may fail before it runs out.

    While the gateway is away, renewals are tried again and the step goes on: when it is back, a
    lease that nobody else took is still this process's.
    """

    def __init__(
        self,
        http_: Http,
        asker: Asker,
        token: str,
        seconds: float,
        recover: Optional[Callable[[], Optional[str]]] = None,
    ) -> None:
        """recover: claims the step again after the lease was lost. Returns the new token."""
        self.token = token
        self.seconds = seconds
        self.attempt = 0
        """Counts the tokens: another one is another attempt."""
        self.is_draining = False
        self._http = http_
        self._asker = asker
        self._recover = recover
        self._recovering = threading.Lock()
        self._closed = threading.Event()
        self.stop = threading.Event()
        """Set when the step has to stop."""
        self.lost = threading.Event()
        """Set when nothing may be reported any more."""
        self.is_cancelled = False
        self.why = ""
        """Why the step has to stop, for people."""
        self._thread = threading.Thread(target=self._keep, name="trainyard-lease", daemon=True)

    def start(self) -> None:
        """Begins to renew."""
        self._thread.start()

    def close(self) -> None:
        """Renews no more."""
        self._closed.set()

    def learn(self, said: Directives) -> None:
        """Follows what an answer says."""
        self.is_draining = said.is_draining
        if said.is_cancel_requested:
            self.is_cancelled = True
            self._order("the job is being cancelled")
        elif said.is_preempted:
            self._order("it makes room for more urgent work")

    def learn_refusal(self, token: str, error: Refused) -> bool:
        """Follows a refusal of this token. Whether there is another one to go on with."""
        is_about_it = isinstance(error, StaleLease) or (
            isinstance(error, InvalidInput)
            and any(issue.path[:1] == ("leaseToken",) for issue in error.issues)
        )
        if not is_about_it:
            raise error
        with self._recovering:
            if self.token != token:
                return True  # Another thread has it already.
            again = None
            if self._recover is not None and not self._closed.is_set():
                again = self._recover()
            if again is None:
                self.lost.set()
                self._order(str(error))
                return False
            self.token = again
            self.attempt += 1
            return True

    def _order(self, why: str) -> None:
        if not self.stop.is_set():
            self.why = why
            self.stop.set()

    def _keep(self) -> None:
        backoff = Backoff(0.25, 5.0)
        trouble = Trouble("renew a lease", tell)
        pause = self.seconds / 3
        while not self._closed.wait(pause) and not self.lost.is_set():
            token = self.token
            asker = Asker(self._asker.target, max(5.0, self.seconds / 3), 0.0)
            renewal = asker.ask(
                RENEW_LEASE, {"input": {"leaseToken": token, "leaseSeconds": self.seconds}}
            )
            try:
                self.learn(self._http.run(renewal))
            except Refused as error:
                try:
                    self.learn_refusal(token, error)
                except Refused as other:
                    tell(f"a lease cannot be renewed: {other}")
            except (GatewayUnreachable, RequestRefused) as error:
                if isinstance(error, RequestRefused) and error.code == "UNAUTHENTICATED":
                    self.lost.set()
                    self._order(str(error))
                    return
                pause = min(self.seconds / 3, backoff.failed())
                trouble.failed(str(error), pause)
                continue
            backoff.works()
            trouble.works()
            pause = self.seconds / 3
