"""Devices: a process that claims steps and runs them itself."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Iterator, List, Mapping, Optional

from ._calls import Resources, find_project, label_inputs
from ._errors import GatewayUnreachable, Refused, RequestRefused
from ._generated import (
    CLAIM_NEXT_STEPS,
    REGISTER_DEVICE,
    ClaimData,
    DeviceKind,
    RegisterDeviceInput,
    RegisterDevicePayload,
)
from ._outbox import read_json, write_json
from ._protocol import Backoff, Trouble, may_retry, tell
from ._settings import state_folder
from ._steps import Step

if TYPE_CHECKING:
    from ._client import Client

LONGEST_WAIT = 50.0


def register(
    client: Client,
    name: str,
    *,
    kind: DeviceKind,
    labels: Optional[Mapping[str, str]],
    resources: Optional[Resources],
    slots: int,
    project: Optional[str],
    lease_seconds: float,
) -> Device:
    """Registers a device. See Client.device."""
    target = client.asker.target
    wanted = project or target.project_id
    given: RegisterDeviceInput = {"name": name, "kind": kind, "slots": slots}
    if wanted is not None:
        given["projectId"] = client.run(find_project(client.asker, wanted)).id
    if labels is not None:
        given["labels"] = label_inputs(labels)
    if resources is not None:
        given["resources"] = resources.to_input()
    path = _key_file(client.url, given.get("projectId") or "", name)
    kept = read_json(path).get("apiKey")
    if isinstance(kept, str):
        own = _with_token(client, kept)
        try:
            return Device(own, own.request(REGISTER_DEVICE, {"input": given}), lease_seconds)
        except (Refused, RequestRefused) as refusal:
            # The key is of a store that is gone, or was revoked. Try the client's.
            if may_retry(refusal):
                raise
    # A device that is known gets a new key as well: with the client's, it could do what that may.
    payload = client.request(REGISTER_DEVICE, {"input": {**given, "rotateKey": True}})
    if payload.api_key is None:
        return Device(client, payload, lease_seconds)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_json(path, {"url": client.url, "name": name, "apiKey": payload.api_key})
    return Device(_with_token(client, payload.api_key), payload, lease_seconds)


def _with_token(client: Client, token: str) -> Client:
    from ._client import Client as Make

    asker = client.asker
    own = Make(client.url, token, timeout=asker.timeout, patience=asker.patience)
    own.http = client.http
    return own


def _key_file(url: str, project_id: str, name: str) -> Path:
    digest = hashlib.sha256("\n".join([url, project_id, name]).encode("utf-8")).hexdigest()
    return state_folder() / "devices" / f"{digest[:24]}.json"


class Device:
    """This process as a device of the gateway."""

    def __init__(self, client: Client, payload: RegisterDevicePayload, lease_seconds: float) -> None:
        self._client = client
        self._lease_seconds = lease_seconds
        self._data = payload.device
        self._is_stopped = False

    @property
    def id(self) -> str:
        """Its id, `dev_…`."""
        return self._data.id

    @property
    def name(self) -> str:
        """Its name."""
        return self._data.name

    @property
    def client(self) -> Client:
        """A client with the device's own key."""
        return self._client

    def steps(self, wait: float = 30.0, *, until_idle: bool = False) -> Iterator[Step]:
        """Claims steps, one after the other, for ever. Use each in a `with`.

        wait: the seconds for which one request waits for work: 0 to 50. While it waits, the device
        is ONLINE. until_idle: end after a wait without work. A gateway that is away is waited for.
        """
        backoff = Backoff(0.25, 5.0)
        trouble = Trouble("claim a step", tell)
        seconds = min(max(wait, 0.0), LONGEST_WAIT)
        while not self._is_stopped:
            try:
                claims = self._claim(seconds)
            except (GatewayUnreachable, RequestRefused) as error:
                if not may_retry(error):
                    raise
                pause = (error.retry_after or 0.0) + backoff.failed()
                trouble.failed(str(error), pause)
                time.sleep(pause)
                continue
            backoff.works()
            trouble.works()
            for claim in claims:
                step = Step(self._client, self.name, claim, self._lease_seconds)
                yield step
                # Left without a `with`, or before its end.
                step.leave()
            if not claims and until_idle:
                return
            if not claims and seconds == 0.0:
                time.sleep(0.5)

    def _claim(self, seconds: float) -> List[ClaimData]:
        asker = self._client.asker
        conversation = asker.ask(
            CLAIM_NEXT_STEPS,
            {
                "input": {
                    "deviceId": self.id,
                    "leaseSeconds": self._lease_seconds,
                    "waitSeconds": seconds,
                }
            },
            asker.timeout + seconds,
        )
        return list(self._client.run(conversation).claims)

    def stop(self) -> None:
        """Ends `steps` after the step that it yields now. May be called in another thread."""
        self._is_stopped = True

    def __repr__(self) -> str:
        return f"<Device {self.name!r} {self.id}>"
