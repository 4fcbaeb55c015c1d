"""vergeai's document, run by `python -m trainyard.compat vergeai`."""

import os
import threading

import vergeai
from document import Document

import trainyard as ty

gateway = ty.Client()
project = gateway.create_project("At the edge")
start = project.upload(ty.tensors.dumps({"w": [1.0, 2.0], "n": [[3.0]]}), "start.safetensors")
CREATE_EXPERIMENT = """mutation create($input: CreateExperimentInput!) {
  createExperiment(input: $input) { ... on CreateExperimentPayload { experiment { id } } }
}"""
experiment = gateway.execute(
    CREATE_EXPERIMENT,
    {"input": {"projectId": project.id, "name": "Digits", "startModelFragmentId": start.id}},
)["createExperiment"]["experiment"]["id"]

# A device at the edge, which trains when it is chosen and told to.
device = gateway.device("phone", kind="EDGE", project=project.id)
may_train = threading.Event()


def train():
    for step in device.steps(wait=10):
        with step:
            assert may_train.wait(60)
            state = step.start_model.tensors()
            step.submit({name: [[9.0]] if name == "n" else [5.0, 6.0] for name in state}, num_samples=10)


thread = threading.Thread(target=train, daemon=True)
thread.start()

document = Document("vergeai", {"__name__": "__main__"})
ids = {
    "...API Key Here...": os.environ["TRAINYARD_TOKEN"],
    "...Project ID...": project.id,
    "...Experiment ID...": experiment,
}


def respond(line, job_id=None):
    filled = dict(ids)
    if job_id is not None:
        del filled["...Experiment ID..."]
        filled["...Job ID..."] = job_id
    return document.run(line, filled)["response"]


created = respond(8)
document.compare(22, created)
job = created["body"]["ID"]
got = respond(99, job)
document.compare(109, got)
assert got["body"]["devices"] == [device.id]
assert got["body"]["start_model"]["size"] == str(start.size)

# The state dictionaries, of which the document shows no more than the braces.
state = respond(181, job)
document.compare(191, state)
assert state == {"w": [1.0, 2.0], "n": [[3.0]]}
assert respond(152, job)["statusCode"] == 404  # No round has succeeded yet.
may_train.set()
gateway.job(job).wait()
state = respond(152, job)
document.compare(162, state)
assert state == {"w": [5.0, 6.0], "n": [[9.0]]}
done = respond(99, job)["body"]
assert done["status"] == "COMPLETED"
assert done["aggregate_model"]["name"] == f"{project.id}/{job}/aggregate_model"
assert list(done["models"]) == [device.id]
assert int(done["billable_size"]) > start.size

# A job that ends is cancelled no more. Another one is.
assert respond(69, job)["statusCode"] == 409
may_train.clear()
document.compare(79, respond(69, respond(8)["body"]["ID"]))
document.finish()

# Refusals are answers too.
wrong = vergeai.Job.create(project_id=project.id, num_devices=7)
assert wrong["statusCode"] == 400 and "1" in wrong["body"]["message"], wrong
assert vergeai.Job.get(experiment, job)["statusCode"] == 404
rounds = vergeai.Job.create(
    project_id=project.id, num_devices=1, termination_criteria=[{"maxRounds": 3}]
)
assert rounds["body"]["configuration"]["termination_criteria"] == [{"maxRounds": 3}], rounds
assert rounds["body"]["experiment_id"] is None and rounds["body"]["start_model"] == {}
vergeai.api_key = "tyk_wrong"
assert vergeai.Job.get(project.id, job)["statusCode"] == 401
