"""`python -m trainyard sync`: delivers what ended processes of this machine could not."""

from __future__ import annotations

import sys

from ._client import Client
from ._errors import TrainyardError
from ._endings import runs_folder, sync

USAGE = """Usage: python -m trainyard sync

Delivers what runs of ended processes have left on this machine, and ends their jobs.
The gateway is that of TRAINYARD_URL and TRAINYARD_TOKEN, else of the credentials file.
"""


def main() -> int:
    """Runs the command. Returns the exit code."""
    if sys.argv[1:] != ["sync"]:
        sys.stderr.write(USAGE)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    try:
        done = sync(Client())
    except (TrainyardError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    folder = runs_folder()
    left = len(list(folder.iterdir())) if folder.is_dir() else 0
    print(f"{done} runs are done, {left} are left in {folder}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
