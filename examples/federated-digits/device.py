"""An edge device. It trains on its own digits, which never leave it, when a round selects it.

    device.py NAME SHARE STATE_FOLDER [--leave-at-eof]

It registers at TRAINYARD_URL in TRAINYARD_PROJECT_ID with TRAINYARD_TOKEN, an editor's key. That
key is needed only for the first start: the gateway answers with the device's own key, which is kept in
the state folder. The lease is kept there, too, so a device that was cut off releases its unfinished
step when it starts again.
SIGTERM (and, with the flag, the end of its standard input) makes it release its step and leave.
"""

import argparse
import hashlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

from gateway import Gateway, Refused
from learning import read_network, read_samples, train, write_network

# When its lease ends, the gateway takes a device for dead. Each renewal tells it whether to go on.
LEASE_SECONDS = 8
RENEW_SECONDS = 1
WAIT_SECONDS = 20

CLAIM = """
claims {
  lease { token }
  step { name part job { id } round { number startModel { downloadUrl sha256 } } }
}"""


class Stopped(Exception):
    """The gateway no longer wants this step. The message says why."""


class State:
    """What a device keeps across restarts: its key and its current lease."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._path = self.folder / "device.json"
        self._kept = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}

    def __getitem__(self, name):
        return self._kept.get(name)

    def keep(self, **values):
        self._kept.update(values)
        part = self._path.with_suffix(".part")
        # Only this user may read the key. Replacing the whole file never leaves half of one.
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(self._kept, file)
        part.replace(self._path)


class Lease:
    """Keeps a step while it trains: a thread renews the lease and learns when to stop."""

    def __init__(self, gateway, token):
        self.token = token
        self.is_lost = False
        self._gateway = gateway
        self._closed = threading.Event()
        self._stop_reason = None
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._closed.set()

    def check(self):
        """Raises Stopped if the step must end."""
        if self._stop_reason:
            raise Stopped(self._stop_reason)

    def _keep(self):
        while not self._closed.wait(RENEW_SECONDS):
            try:
                asked = {"leaseToken": self.token, "leaseSeconds": LEASE_SECONDS}
                renewed = self._gateway.mutate("renewLease", asked, "isCancelRequested isPreempted")
                if renewed["isCancelRequested"] or renewed["isPreempted"]:
                    self._stop_reason = "the round has what it needs" if renewed["isCancelRequested"] else "it was preempted"
            except Refused as refusal:
                self.is_lost, self._stop_reason = True, str(refusal)
                return
            except OSError:
                pass  # The gateway may be back before the lease ends.


class Device:
    def __init__(self, name, share, state):
        self.name = name
        self.share = share
        self.state = state
        self.gateway = None
        self.id = None

    def register(self):
        url, project_id = os.environ["TRAINYARD_URL"], os.environ["TRAINYARD_PROJECT_ID"]
        self.gateway = Gateway(url, self.state["key"] or os.environ["TRAINYARD_TOKEN"])
        asked = {"projectId": project_id, "name": self.name, "kind": "EDGE"}
        answer = self.gateway.mutate("registerDevice", asked, "device { id } apiKey")
        self.id = answer["device"]["id"]
        if answer["apiKey"]:
            self.state.keep(key=answer["apiKey"])
            self.gateway = Gateway(url, answer["apiKey"])

    def give_back(self, why):
        """Releases the step that it holds, possibly from before a restart, for other devices."""
        token = self.state["lease"]
        if not token:
            return
        try:
            self.gateway.mutate("releaseStep", {"leaseToken": token, "description": why}, "step { status }")
        except Refused:
            pass  # The gateway has reclaimed it already.
        self.state.keep(lease=None)

    def serve(self):
        """Waits for steps and trains. Waiting also keeps the device ONLINE."""
        while True:
            asked = {"deviceId": self.id, "leaseSeconds": LEASE_SECONDS, "waitSeconds": WAIT_SECONDS}
            for claim in self.gateway.mutate("claimNextSteps", asked, CLAIM)["claims"]:
                self.state.keep(lease=claim["lease"]["token"])
                self.run(claim["step"], claim["lease"]["token"])
                self.state.keep(lease=None)

    def run(self, step, token):
        with Lease(self.gateway, token) as lease:
            try:
                self.train(step, lease)
            except Stopped as stopped:
                say(f"{step['name']}: stopped, {stopped}")
                if not lease.is_lost:
                    self.give_back("Stopped as told.")
            except Refused as refusal:
                say(f"{step['name']}: {refusal}")
                # STALE_LEASE: the step is not this device's any more. Other failures are reported.
                if refusal.code != "STALE_LEASE":
                    self.fail(token, str(refusal))
            except Exception as error:
                self.fail(token, f"{type(error).__name__}: {error}")
                raise

    def train(self, step, lease):
        """Trains one round: from its start model to this device's own model, which it submits."""
        if step["part"] != "TRAIN":
            raise Stopped("this device takes part in rounds of training alone")
        number = step["round"]["number"]
        network = read_network(self.fetch(step["round"]["startModel"], "start.safetensors"))
        say(f"{step['name']}: starts")
        loss = 0.0
        for loss in train(network, self.share, number):
            lease.check()
        model = self.state.folder / f"round-{number}-{self.name}.safetensors"
        write_network(model, network, round=number, device=self.name, digits=len(self.share))
        self.hand_in(step["job"]["id"], model, lease)
        done = {
            "leaseToken": lease.token,
            "numSamples": len(self.share),
            "metrics": [{"name": "loss", "value": loss, "iteration": number}],
        }
        self.gateway.mutate("completeStep", done, "step { status }")
        say(f"{step['name']}: handed in after {len(self.share)} digits, loss {loss:.3f}")

    def fetch(self, fragment, filename):
        content = self.gateway.download(fragment["downloadUrl"])
        if hashlib.sha256(content).hexdigest() != fragment["sha256"]:
            raise ValueError(f"{filename} arrived damaged")
        path = self.state.folder / filename
        path.write_bytes(content)
        return path

    def hand_in(self, job_id, model, lease):
        content = model.read_bytes()
        fragment = {
            "jobId": job_id,
            "leaseToken": lease.token,
            "filename": model.name,
            "type": "MODEL",
            "sizeBytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        url = self.gateway.mutate("createFragment", fragment, "uploadUrl")["uploadUrl"]
        if url:
            self.gateway.upload(url, content)

    def fail(self, token, why):
        try:
            self.gateway.mutate("failStep", {"leaseToken": token, "description": why[:1000]}, "step { status }")
        except Refused:
            pass

    def leave(self):
        """Leaves cleanly: no more rounds are planned with this device."""
        self.give_back("The device leaves.")
        self.gateway.mutate("updateDevice", {"deviceId": self.id, "isDraining": True}, "device { status }")


def say(line):
    print(line, flush=True)


def leave_at_eof():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main():
    parser = argparse.ArgumentParser(description="An edge device of the federated digits example.")
    parser.add_argument("name")
    parser.add_argument("share", help="its digits")
    parser.add_argument("state", help="a folder of its own")
    parser.add_argument("--leave-at-eof", action="store_true", help="leave when standard input ends")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if arguments.leave_at_eof:
        threading.Thread(target=leave_at_eof, daemon=True).start()
    device = Device(arguments.name, read_samples(arguments.share), State(arguments.state))
    try:
        device.register()
        device.give_back("The device was cut off, and is back.")
        say("is there")
        device.serve()
    except SystemExit:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second signal ends it at once
        if device.id:
            device.leave()
        raise


if __name__ == "__main__":
    main()
