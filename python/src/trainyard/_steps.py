"""A claimed step, while this process runs it."""

from __future__ import annotations

import os
import shutil
import traceback
from types import TracebackType
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Type, Union

from . import tensors as tensor_files
from ._errors import GatewayUnreachable, Refused, RequestRefused, StepStopped
from ._files import File
from ._generated import (
    COMPLETE_STEP,
    FAIL_STEP,
    RELEASE_STEP,
    ClaimData,
    FragmentType,
    MetricInput,
    StaleLease,
    StepData,
)
from ._leases import Lease
from ._protocol import tell
from ._reporter import Reporter, now, to_number, to_plain
from ._settings import state_folder
from ._transfers import Source, name_of, upload

if TYPE_CHECKING:
    from ._client import Client

PathLike = Union[str, "os.PathLike[str]"]


class Step:
    """A claimed step. In a `with`, a thread renews its lease, and its end is reported.

    The `with` completes it at its end and fails it on an exception, which goes on. It releases it
    on KeyboardInterrupt and SystemExit, for another device. `StepStopped` ends the `with` without
    an exception: the step had to stop.
    """

    def __init__(
        self, client: Client, device: str, claim: ClaimData, lease_seconds: float
    ) -> None:
        self._client = client
        self._device = device
        self.data: StepData = claim.step
        self.secret_env: Dict[str, str] = {each.name: each.value for each in claim.secret_env}
        """The secret variables of its container, which are told to its device alone."""
        self.output: Dict[str, Any] = {}
        """Becomes the output document of the job when the step completes."""
        self._attempt = claim.lease.attempt
        self._lease = Lease(client.http, client.asker, claim.lease.token, lease_seconds)
        folder = state_folder() / "steps" / f"{claim.step.id}-{claim.lease.attempt}"
        shutil.rmtree(folder, ignore_errors=True)  # Of a claim whose answer was lost.
        self._reporter = Reporter(client.http, client.asker, self._lease, folder)
        self._iteration = -1
        self._is_over = False
        # At once: the lease runs.
        self._lease.start()
        self._reporter.start()

    @property
    def id(self) -> str:
        """Its id, `step_…`."""
        return self.data.id

    @property
    def name(self) -> str:
        """Its name, by which a device may know what to do."""
        return self.data.name

    @property
    def number(self) -> int:
        """Its number within the job, from 0."""
        return self.data.number

    @property
    def job_id(self) -> str:
        """The job that it belongs to."""
        return self.data.job.id

    @property
    def command(self) -> Optional[str]:
        """The command of its container. None: it has none."""
        return self.data.container.command if self.data.container else None

    @property
    def settings(self) -> Dict[str, Any]:
        """The job's settings."""
        return self.data.job.settings

    @property
    def items(self) -> Dict[str, Any]:
        """The job's items by name, each with its own type."""
        return {item.name: item.typed_value for item in self.data.job.items}

    @property
    def round_number(self) -> Optional[int]:
        """The number of its federated round, from 1. None: it belongs to none."""
        return self.data.round.number if self.data.round else None

    @property
    def start_model(self) -> Optional[File]:
        """The model to start from: that of the round, else of the job. None: from scratch."""
        data = self.data.round.start_model if self.data.round else self.data.job.start_model
        return None if data is None else File(self._client, data)

    @property
    def should_stop(self) -> bool:
        """Whether it has to stop: cancelled, preempted, or the lease is lost."""
        return self._lease.stop.is_set()

    def check(self) -> None:
        """Raises StepStopped if it has to stop. Call it now and then in a long computation."""
        if self._lease.stop.is_set():
            raise StepStopped(self._lease.why)

    def log(self, values: Mapping[str, Any], step: Optional[int] = None) -> None:
        """Reports numbers by name. Never waits for the gateway or the disk.

        step: the iteration; default: one more than the last.
        """
        self._iteration = self._iteration + 1 if step is None else int(step)
        self._reporter.metrics(values, self._iteration)

    def write(self, text: str) -> None:
        """Adds text to its log. Never waits for the gateway or the disk."""
        self._reporter.text(text)

    def save(
        self,
        source: Source,
        name: Optional[str] = None,
        *,
        type: Optional[FragmentType] = None,
        replace: bool = True,
    ) -> File:
        """Stores a file with the job, or bytes, which need a name. Waits until it is stored.

        replace: replaces a file of the same name that a step of this job stored.
        """
        client = self._client
        data = upload(
            client.http,
            client.asker,
            source,
            name_of(source, name),
            type=type,
            job_id=self.job_id,
            lease_token=self._lease.token,
            replace=replace,
        )
        return File(client, data)

    def submit(
        self,
        model: Union[PathLike, Mapping[str, Any]],
        *,
        num_samples: Optional[int] = None,
        metrics: Optional[Mapping[str, Any]] = None,
        name: Optional[str] = None,
    ) -> File:
        """Hands in a model and completes the step: for a training step of a federated round.

        model: tensors by name (lists, arrays of NumPy or torch), or the path of a safetensors file.
        num_samples: what it was trained on: its weight in the mean, 1 or more.
        metrics: final values. name: default: from the round and the device.
        """
        number = self.round_number
        part = "model" if number is None else f"round-{number}-{self._device}"
        filename = name or f"{part}.safetensors"
        source: Source = tensor_files.dumps(model) if isinstance(model, Mapping) else model
        file = self.save(source, filename, type="MODEL")
        self.complete(num_samples=num_samples, metrics=metrics)
        return file

    def complete(
        self,
        *,
        num_samples: Optional[int] = None,
        metrics: Optional[Mapping[str, Any]] = None,
        description: Optional[str] = None,
    ) -> None:
        """Reports that it succeeded, after what is left to report. Raises StaleLease."""
        self._reporter.finish(self._client.asker.patience)
        final: List[MetricInput] = []
        for key, value in (metrics or {}).items():
            number = to_number(value)
            if number is None:
                raise TypeError(f"The metric {key!r} is {value!r}, not a number.")
            entry: MetricInput = {"name": key, "value": number, "at": now()}
            if self.round_number is not None:
                entry["iteration"] = self.round_number
            final.append(entry)
        try:
            self._client.request(
                COMPLETE_STEP,
                {
                    "input": {
                        "leaseToken": self._lease.token,
                        "numSamples": num_samples,
                        "metrics": final,
                        "description": description,
                        "output": to_plain(self.output) or None,
                    }
                },
            )
        finally:
            self._end()

    def fail(self, description: str, *, exit_code: Optional[int] = None) -> None:
        """Reports that it failed: at most 1,000 characters for people."""
        self._reporter.finish(self._client.asker.patience)
        try:
            self._client.request(
                FAIL_STEP,
                {
                    "input": {
                        "leaseToken": self._lease.token,
                        "description": description[:1000],
                        "exitCode": exit_code,
                    }
                },
            )
        finally:
            self._end()

    def release(self, description: str = "The device gave the step back.") -> None:
        """Gives it back: another device may claim it. This counts as no failure."""
        self._reporter.finish(5.0)
        try:
            self._client.request(
                RELEASE_STEP,
                {"input": {"leaseToken": self._lease.token, "description": description[:1000]}},
            )
        finally:
            self._end()

    def leave(self) -> None:
        """Releases it, unless its end was reported. Never raises because of the gateway."""
        if self._is_over:
            return
        if self._lease.lost.is_set():
            self._end()
            return
        try:
            self.release()
        except (Refused, RequestRefused, GatewayUnreachable) as error:
            tell(f"step {self.id} could not be given back: {error}")

    def _end(self) -> None:
        self._is_over = True
        self._lease.close()
        self._reporter.outbox.close(remove=True)

    def __enter__(self) -> Step:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> bool:
        if self._is_over:
            return isinstance(error, StepStopped)
        if self._lease.lost.is_set():
            tell(f"step {self.id} is no longer this device's: {self._lease.why}")
            self._end()
            return isinstance(error, (StepStopped, StaleLease))
        try:
            if error is None:
                self.complete()
            elif isinstance(error, StepStopped):
                self._report_stop(str(error))
            elif isinstance(error, Exception):
                text = "".join(traceback.format_exception_only(type(error), error)).strip()
                self.fail(text)
            else:
                self.leave()
        except StaleLease as stale:
            tell(f"step {self.id} is no longer this device's: {stale}")
            return error is None or isinstance(error, StepStopped)
        except GatewayUnreachable as trouble:
            if error is None:
                raise
            # What happened in the step is what its caller has to see.
            tell(f"the end of step {self.id} could not be reported: {trouble}")
        return isinstance(error, StepStopped)

    def _report_stop(self, why: str) -> None:
        """A cancelled step is ended. A preempted one goes back into the queue."""
        if self._lease.is_cancelled:
            self.fail(f"Stopped: {why}.")
        else:
            self.release(f"Stopped: {why}.")

    def __repr__(self) -> str:
        return f"<Step {self.name!r} of {self.job_id}, attempt {self._attempt}>"
