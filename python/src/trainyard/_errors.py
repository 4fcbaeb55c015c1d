"""The exceptions of this package. Every one is a TrainyardError."""

from __future__ import annotations

from typing import Any, Dict, Optional


class TrainyardError(Exception):
    """The base of all exceptions of this package."""


class GatewayUnreachable(TrainyardError):
    """The gateway did not answer, or could not: no connection, a time-out, an HTTP 5xx.

    It is raised after the client's patience has ended. Whether the request took effect is unknown.
    """

    retry_after: Optional[float]
    """The seconds that the gateway asked to wait. None: it did not say."""

    def __init__(self, message: str, retry_after: Optional[float] = None) -> None:
        super().__init__(message, retry_after)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return str(self.args[0])


class RequestRefused(TrainyardError):
    """The gateway refused the whole request, before it did anything.

    The key is not valid (UNAUTHENTICATED) or may not do this (FORBIDDEN), the request is malformed
    (BAD_REQUEST) or over a limit (LIMIT_EXCEEDED), or the gateway has a fault (INTERNAL_ERROR).
    """

    code: str
    """The kind of refusal, for programs."""
    message: str
    """A sentence for people."""
    retry_after: Optional[float]
    """The seconds after which the same request may be accepted. None: unknown."""
    request_id: Optional[str]
    """Names the request in the gateway's log. None: the gateway did not say."""

    def __init__(
        self,
        code: str,
        message: str,
        retry_after: Optional[float] = None,
        request_id: Optional[str] = None,
    ) -> None:
        super().__init__(code, message, retry_after, request_id)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class Refused(TrainyardError):
    """The gateway refused one operation, and changed nothing.

    Each type of the schema that implements `Error` has a class of its own below this one: NotFound,
    InvalidInput, InvalidState, AlreadyExists, IdempotencyConflict, StaleLease.
    """

    code: str
    """The kind of refusal, for programs: an ErrorCode of the schema."""
    message: str
    """A sentence for people. Its wording may change."""

    def __init__(self, data: Dict[str, Any]) -> None:
        # The data itself is the argument, so that the exception can be pickled.
        super().__init__(data)
        self.code = data["code"]
        self.message = data["message"]

    def __str__(self) -> str:
        issues = self.args[0].get("issues")
        if not issues:
            return self.message
        # The message of an InvalidInput names the first issue. All of them are worth reading.
        return "\n".join(f"{'.'.join(issue['path'])} {issue['message']}" for issue in issues)


class JobFailed(TrainyardError):
    """A job ended without success. Raised by `Job.wait`."""

    job_id: str
    """The job."""
    status: str
    """FAILED or CANCELLED."""
    reason: str
    """Why it ended, for programs: a StatusReason of the schema."""
    description: str
    """Why it ended, for people. May be empty."""
    exit_code: Optional[int]
    """The exit code of its program. None: there is none."""

    def __init__(
        self, job_id: str, status: str, reason: str, description: str, exit_code: Optional[int]
    ) -> None:
        super().__init__(job_id, status, reason, description, exit_code)
        self.job_id = job_id
        self.status = status
        self.reason = reason
        self.description = description
        self.exit_code = exit_code

    def __str__(self) -> str:
        code = "" if self.exit_code is None else f", exit code {self.exit_code}"
        text = f": {self.description}" if self.description else ""
        return f"{self.job_id} {self.status} ({self.reason}{code}){text}"


class StepStopped(TrainyardError):
    """The step has to stop: its job is cancelled, it makes room, or its lease is lost.

    Raised by `Step.check`. `with step:` takes it: the step is reported and the loop goes on.
    """


class DamagedFile(TrainyardError):
    """The bytes of a file have another SHA-256 than the gateway has stored."""
