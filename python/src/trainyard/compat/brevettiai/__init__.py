"""BrevettiAI's job interface, on Trainyard: `Job.init(job_id, api_key)`.

Inside a step that an agent runs, the variables `job_id` and `api_key`, which its scripts read, name
that step's job.
"""

import os

from . import interfaces, platform

__all__ = ["interfaces", "platform"]

if os.environ.get("TRAINYARD_JOB_ID"):
    os.environ.setdefault("job_id", os.environ["TRAINYARD_JOB_ID"])
    os.environ.setdefault("api_key", os.environ.get("TRAINYARD_TOKEN", ""))
