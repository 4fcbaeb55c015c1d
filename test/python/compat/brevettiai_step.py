"""What an agent runs: it finds its job in the environment."""

import os

from brevettiai.interfaces.vue_schema_utils import VueSettingsModule
from brevettiai.platform import Job


class Settings(VueSettingsModule):
    def __init__(self, epochs: int = 1, rate: float = 0.1):
        self.epochs = epochs
        self.rate = rate


class Training(Job):
    Settings = Settings


job = Training.init(job_id=os.getenv("job_id"), api_key=os.getenv("api_key"))
for text in ("once", "twice"):
    job.io.write_file(job.artifact_path("notes", "second.txt"), text)
