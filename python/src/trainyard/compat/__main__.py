"""`python -m trainyard.compat SYSTEM script.py`: runs a script of another system, unchanged."""

from __future__ import annotations

import importlib
import os
import pkgutil
import runpy
import sys
from types import ModuleType
from typing import List

SYSTEMS = ("vergeai", "seeme", "neuromation", "mlcycle", "brevettiai")
USAGE = f"""Usage: python -m trainyard.compat SYSTEM SCRIPT [ARGUMENT]…
       python -m trainyard.compat SYSTEM -m MODULE [ARGUMENT]…

Runs a Python program that imports the client library of another system, on Trainyard.
SYSTEM is one of {", ".join(SYSTEMS)}.
The gateway is that of TRAINYARD_URL and TRAINYARD_TOKEN, else of the credentials file.
"""


def install(system: str) -> ModuleType:
    """Makes `import SYSTEM`, and the import of its submodules, find the modules of this package."""
    module = importlib.import_module(f"trainyard.compat.{system}")
    sys.modules[system] = module
    for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{module.__name__}."):
        name = found.name[len("trainyard.compat.") :]
        if not name.rpartition(".")[2].startswith("_"):
            sys.modules[name] = importlib.import_module(found.name)
    return module


def main(args: List[str]) -> int:
    """Runs the command. Returns the exit code of a wrong use: a script ends as it does."""
    if len(args) < 2 or args[0] not in SYSTEMS or args[1:] == ["-m"]:
        sys.stderr.write(USAGE)
        return 0 if args[:1] in (["-h"], ["--help"]) else 2
    system, script, *rest = args
    install(system)
    if script == "-m":
        sys.argv = rest
        sys.path[0] = os.getcwd()
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [script, *rest]
        # As `python script.py` has it.
        sys.path[0] = os.path.dirname(os.path.abspath(script))
        runpy.run_path(script, run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
