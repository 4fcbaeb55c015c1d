"""BrevettiAI's document, run by `python -m trainyard.compat brevettiai`."""

import io
import json
import logging
import os
import re
import sys
import tempfile

from document import Document

import trainyard as ty
from trainyard import api

gateway = ty.Client()
project = gateway.create_project("Vision")
payload = gateway.request(
    api.CREATE_JOB,
    {"input": {"projectId": project.id, "name": "A model", "settings": {"some_setting_i_need": 1}}},
)
os.environ["job_id"] = payload.job.id
os.environ["api_key"] = payload.token

logged = io.StringIO()
logging.basicConfig(level=logging.INFO, stream=logged)
# Its classes are those of a script.
document = Document("brevettiai", globals())


def ours():
    """What the modules have logged since the last call, without addresses."""
    text = logged.getvalue()
    logged.seek(0)
    logged.truncate()
    return without_addresses([line for line in text.split("\n") if ":brevettiai." in line])


def shown(line):
    """The same of an output in the document."""
    return without_addresses(
        [each for each in document.block(line).text.split("\n") if ":brevettiai." in each]
    )


def without_addresses(lines):
    return [re.sub(r"'?\w+://\S+", "ADDRESS", each) for each in lines]


document.run(13)
assert document.run(23)["job"].id == payload.job.id
document.check(29, ours() == shown(29), "it logs something else")
first = json.loads(job.io.read_file(job.artifact_path("output.json")))
assert first["output"] == {"settings": {"some_setting_i_need": 1}}, first

document.compare_printed(85, document.run_printing(57))

document.run(96)
document.check(114, ours() == shown(114), "it logs something else")
printed = document.run_printing(121)
document.compare_printed(125, re.sub(r"0x[0-9a-f]+", "0x7f097aa73cd0", printed))

assert document.run(133) and job.upload_job_output() == "artifacts/output.json"
document.check(136, ours() == shown(136)[:1] * 2, "it logs something else")
output = json.loads(job.io.read_file(job.artifact_path("output.json")))
assert output["output"]["settings"] == job.settings.get_config()

printed = document.run_printing(152)
path = printed.splitlines()[0]
assert path.startswith(os.path.join(tempfile.gettempdir(), f"config-id-{job.id}-"))
assert os.path.exists(path)
document.compare_printed(
    159, printed.replace(path, document.block(159).text.split("\n")[0])
)
printed = document.run_printing(165)
shown_page = "https://platform.brevetti.ai/models/ae03ff72-b7a2-444d-8fe9-623f61dc4c71/artifacts"
document.compare_printed(174, printed.replace(f"{gateway.url}/models/{job.id}/artifacts", shown_page))
document.finish()

# A file is replaced, and may be in folders.
assert job.io.read_file(artifact_path) == b"Valuable information"
job.io.write_file(artifact_path, "More valuable")
assert job.io.read_file(artifact_path) == b"More valuable"
nested = job.artifact_path("plots", "loss.png")
job.io.write_file(nested, b"\x89PNG")
assert gateway.job(job.id).files["plots/loss.png"].read_bytes() == b"\x89PNG"
for gone in (job.artifact_path("none.txt"), job.temp_path("none.txt")):
    try:
        job.io.read_file(gone)
    except FileNotFoundError:
        pass
    else:
        raise AssertionError(f"{gone} was read.")

# A wrong value of the command line names its setting.
sys.argv += ["--custom.custom_param=many"]
try:
    MiniJobWithCustomSettings.init(job_id=job.id, api_key=payload.token)
except ValueError as error:
    assert "--custom.custom_param cannot be 'many'" in str(error)
else:
    raise AssertionError("It was taken.")

# Inside a step that an agent runs.
step = os.path.join(os.path.dirname(__file__), "brevettiai_step.py")
command = [sys.executable, "-m", "trainyard.compat", "brevettiai", step, "--rate", "0.5"]
run = gateway.project(os.environ["AGENT_PROJECT"]).submit(command, settings={"epochs": 3})
run.wait()
assert run.output == {"settings": {"epochs": 3, "rate": 0.5}}, run.output
assert run.files["notes/second.txt"].read_text() == "twice"
