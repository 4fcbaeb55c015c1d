"""An edge device. It trains on its own digits, which never leave it, when a round selects it.

    device.py NAME SHARE [--leave-at-eof]

It registers at the gateway of TRAINYARD_URL, in the project TRAINYARD_PROJECT_ID, with an editor's
key (TRAINYARD_TOKEN). The gateway answers with the device's own key, which the package keeps in the
folder TRAINYARD_STATE_DIR. SIGTERM (and, with the flag, the end of its standard input) makes it
release its step and leave.
"""

import argparse
import os
import signal
import sys
import threading

import trainyard as ty
from learning import network_of, read_samples, train

# When its lease ends, the gateway takes a device for dead.
LEASE_SECONDS = 8


def say(line):
    print(line, flush=True)


def serve(name, samples):
    device = ty.Client().device(name, kind="EDGE", lease_seconds=LEASE_SECONDS)
    say("is there")
    for step in device.steps(wait=20):
        with step:
            say(f"{step.name}: starts")
            network = network_of(step.start_model.tensors())
            loss = 0.0
            for loss in train(network, samples, step.round_number):
                step.check()  # a round that has its models stops the rest
            step.submit(network.tensors(), num_samples=len(samples), metrics={"loss": loss})
            say(f"{step.name}: handed in after {len(samples)} digits, loss {loss:.3f}")
        if step.should_stop:
            say(f"{step.name}: stopped")


def leave_at_eof():
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main():
    parser = argparse.ArgumentParser(description="An edge device of the federated digits example.")
    parser.add_argument("name")
    parser.add_argument("share", help="its digits")
    parser.add_argument("--leave-at-eof", action="store_true", help="leave when standard input ends")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the `with` of a step releases it
    if arguments.leave_at_eof:
        threading.Thread(target=leave_at_eof, daemon=True).start()
    serve(arguments.name, read_samples(arguments.share))


if __name__ == "__main__":
    main()
