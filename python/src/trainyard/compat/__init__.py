"""The client libraries of five other systems, on a Trainyard gateway.

    python -m trainyard.compat mlcycle their_script.py

runs a script that was written for one of them: vergeai, seeme, neuromation, mlcycle or brevettiai.
Or change one import: `from trainyard.compat import mlcycle`.

Each has the calls, the objects and the exceptions of that library's documentation. The gateway and
the key come from TRAINYARD_URL and TRAINYARD_TOKEN, or from the machine's credentials file.
"""
