"""SeeMe's document, run by `python -m trainyard.compat seeme`."""

import dataclasses
import os
import re

import seeme
from document import Document
from seeme import Client, Job, JobItem, JobStatus, JobType, ValueType

import trainyard as ty

os.environ["TRAINYARD_PROJECT_ID"] = os.environ["AGENT_PROJECT"]
gateway = ty.Client()
CREATE_APPLICATION = """mutation create($input: CreateApplicationInput!) {
  createApplication(input: $input) { ... on CreateApplicationPayload { application { id } } }
}"""


def application(name, **more):
    """An application whose jobs an agent runs."""
    definitions = [
        {"name": "image_size", "valueType": "NUMBER", "isRequired": True},
        {"name": "arch", "valueType": "TEXT", "defaultValue": "resnet18"},
        {"name": "batch_size", "valueType": "NUMBER", "defaultValue": "32"},
    ]
    given = {"name": name, "itemDefinitions": definitions, "supportsContinualTraining": True, **more}
    return gateway.execute(CREATE_APPLICATION, {"input": given})["createApplication"]["application"]["id"]


client = Client()
waiting = application("Cats and dogs, by hand")
document = Document("seeme", {**vars(seeme), "client": client, "__name__": "__main__"})

# The properties of its objects.
for line, kind in ((56, Job), (82, JobItem)):
    shown = document.block(line).text.split("\n")
    own = [each for each in dataclasses.fields(kind) if each.repr]
    fits = len(own) == len(shown) and all(
        row.startswith(f"{each.name}{each.type}") for row, each in zip(shown, own)
    )
    document.check(line, fits, f"{kind.__name__} has {[(each.name, each.type) for each in own]}")

created = document.run(20, {"acf26cf4-e19f-425e-b5cb-031830a46df4": waiting})["my_job"]
assert re.fullmatch(r"job_\w{26}", created.id)
assert (created.name, created.description) == ("Train a new model for cats and dogs", "")
assert (created.job_type, created.status) == (JobType.TRAINING, JobStatus.WAITING)
assert (created.application_id, created.model_id, created.start_model_id) == (waiting, "", "")
assert created.dataset_id == "8037b73a-5512-4a45-89e2-29761771fff6"
assert created.dataset_version_id == "1d3bf8d6-e39b-498e-9c08-680d2f8a3c47"
assert [(each.name, each.value, each.value_type, each.label) for each in created.items] == [
    ("image_size", "224", ValueType.NUMBER, "Image Size"),
    ("arch", "resnet50", ValueType.TEXT, "Architecture"),
    ("batch_size", "50", ValueType.NUMBER, "Batch size"),
]
assert all(each.job_id == created.id and each.id for each in created.items)

assert document.run(101)["my_job"] == created
updated = document.run(107)["my_job"]
assert updated.description == "Update any property"
assert dataclasses.replace(updated, description="", updated_at=created.updated_at) == created

# Blank is all: the jobs of other applications as well.
jobs = document.run(5)["jobs"]
assert updated in jobs and {job.job_type for job in jobs} == {JobType.TRAINING}
assert client.get_jobs(application_id=waiting, states=[JobStatus.WAITING]) == [updated]
assert client.get_jobs(application_id=waiting, states=[JobStatus.STARTED]) == []
assert client.get_jobs(job_types=[JobType.VALIDATION]) == []

# Any property, as long as it waits. The gateway's own are its own.
my_job = document.namespace["my_job"]
my_job.items[1].value = "vit"
my_job.status_message = "Soon"
my_job.dataset_id = "another"
my_job = client.update_job(my_job)
assert [my_job.items[1].value, my_job.status_message, my_job.dataset_id] == ["vit", "Soon", "another"]
my_job.application_id = application("Cats and dogs, again")
my_job.job_type = JobType.VALIDATION
my_job = client.update_job(my_job)
assert (my_job.application_id != waiting, my_job.job_type) == (True, JobType.VALIDATION)
assert [each.value for each in my_job.items] == ["224", "vit", "50"]
my_job.status = JobStatus.FINISHED
try:
    client.update_job(my_job)
except ValueError as error:
    assert "status cannot be changed" in str(error)
else:
    raise AssertionError("A status was set.")

document.run(115)
try:
    client.get_job(my_job.id)
except ty.NotFound:
    pass
else:
    raise AssertionError("It is still there.")
document.finish()

# An agent runs one, and what it stores is a version of a new model.
command = 'printf weights > "$TRAINYARD_FRAGMENTS/model.safetensors"'
run = application("Cats and dogs, by an agent", container={"command": command})
items = [JobItem(name="image_size", value="224", value_type=ValueType.NUMBER)]
job = client.create_job(Job(name="Cats", application_id=run, items=items))
gateway.job(job.id).wait()
done = client.get_job(job.id)
assert (done.status, done.agent_name) == (JobStatus.FINISHED, "agent")
assert done.model_id.startswith("model_") and done.model_version_id.startswith("mver_"), done
assert [each.value for each in done.items] == ["224", "resnet18", "32"]

# Jobs that go on from it: by its version, by its model, and by an update.
by_version = Job(name="On", application_id=waiting, items=items, start_model_version_id=done.model_version_id)
by_model = Job(name="On", application_id=waiting, items=items, start_model_id=done.model_id)
later = client.create_job(Job(name="Later on", application_id=waiting, items=items))
later.start_model_id = done.model_id
for job in (client.create_job(by_version), client.create_job(by_model), client.update_job(later)):
    assert job.start_model_id == done.model_id, job
    assert job.start_model_version_id == done.model_version_id, job
job.start_model_version_id = job.start_model_id = ""
try:
    client.update_job(job)
except ValueError as error:
    assert "cannot be left blank" in str(error)
else:
    raise AssertionError("It was left blank.")

# No other document's machine is to run them.
for job in client.get_jobs(application_id=waiting):
    client.delete_job(job.id)
assert client.get_jobs(application_id=waiting) == []
