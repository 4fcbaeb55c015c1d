"""mlcycle's document, run by `python -m trainyard.compat mlcycle`."""

import dataclasses
import os
import sys
import time

import mlcycle
from document import Document
from mlcycle import Fragment, Project, Step, Worker

import trainyard

HOST = "https://192.168.99.100:5001/api"
REPOSITORY = "https://github.com/cemizm/tf-benchmark-gpu.git"
namespace = {name: getattr(mlcycle, name) for name in mlcycle.__all__}
namespace.update(mlcycle=mlcycle, __name__="__main__")
document = Document("mlcycle", namespace)


def value(line, filled=None, joined=False):
    """What a block puts into `return_value`."""
    return document.run(line, filled, joined=joined)["return_value"]


def write(text):
    with open("filename", "w") as file:
        file.write(text)


def read():
    with open("filename") as file:
        return file.read()


# The client.
outline = document.run(16)["Client"].__annotations__
document.check(
    16,
    {name: kind.__name__ for name, kind in outline.items()} == mlcycle.Client.__annotations__,
    f"Client has {mlcycle.Client.__annotations__}",
)
namespace["Client"] = mlcycle.Client
assert document.run(32)["client"].env.host == os.environ["TRAINYARD_URL"]
client = document.run(40, {HOST: os.environ["TRAINYARD_URL"]})["client"]

# Projects.
project = client.Projects.add(Project(name="Project 1", git_repository=REPOSITORY))
assert project in value(384)
document.compare(372, value(392, {"97df69fb-8fe1-48a1-835f-c0d699789a78": project.id}))
added = value(402, joined=True)
assert dataclasses.replace(added, id=None) == Project("new Project", REPOSITORY)
ids = {"97df69fb-8fe1-48a1-835f-c0d699789a78": added.id}
assert value(416, ids, joined=True) == dataclasses.replace(added, name="updated Project")
assert value(431, ids) is True
assert value(431, ids) is False
assert client.Projects.get_by_id(added.id) is False

# Workers.
worker = client.Workers.add(Worker(name="Worker 1"))
assert worker in value(458)
document.compare(447, value(466, {"97df69fb-8fe1-48a1-835f-c0d699789a78": worker.id}))
added = value(476, joined=True)
assert added.name == "new Worker"
ids = {"97df69fb-8fe1-48a1-835f-c0d699789a78": added.id}
assert value(489, ids, joined=True) == Worker("updated worker", added.id)
assert value(503, ids) is True
assert value(503, ids) is False

# A job of one step.
triggered = value(179, {"903778ca-5ed8-4b25-8cf8-6e87a83e581a": project.id})
document.compare(184, triggered, {"return_value\n-------------------\n": ""})
document.compare(218, [job for job in value(214) if job.id == triggered.id])
ids = {"7bbd354f-931b-43aa-acba-f9ff1e7cda6d": triggered.id}
assert value(239, ids) is True
assert value(239, ids) is False
assert value(250, ids) is True
assert value(250, ids) is False
assert client.Jobs.get_by_id(triggered.id).state == 2

# The block of `error` claims. What its text describes:
failing = client.Jobs.trigger(project.id).id
assert value(261, {"7bbd354f-931b-43aa-acba-f9ff1e7cda6d": failing}) is True
assert client.Scheduler.error(failing, 0) is True
assert [client.Jobs.get_by_id(failing).state, client.Jobs.get_by_id(failing).steps[0].state] == [31, 31]

# A job of several steps, whose last is running.
job = client.Jobs.trigger(project.id).id
ids = {"e0578355-2532-4363-a15c-7753cd5ed987": job}
grown = value(140, ids)
assert [(step.name, step.number, step.state) for step in grown.steps] == [
    ("Bootstrap", 0, 21),
    ("Train", 1, 0),
]
assert grown.steps[1].docker == mlcycle.DockerConfiguration(command="python train/train.py")
built = mlcycle.DockerConfiguration(
    command="python train/train.py",
    build_configuration=mlcycle.DockerBuildConfiguration(context="train/", dockerfile="dockerfile"),
)
client.Jobs.add_steps(job, [Step(name="Evaluate"), Step(name="Train", docker=built)])

write("Step 0\n")
assert client.Scheduler.claim(job, 0)
ids = {"7bbd354f-931b-43aa-acba-f9ff1e7cda6d": job}
uploaded = value(348, ids, joined=True)
document.compare(276, uploaded)
assert value(348, ids, joined=True) is False  # A filename is used once in a job.
assert client.Scheduler.complete(job, 0)
for number in (1, 2):
    assert client.Scheduler.claim(job, number) and client.Scheduler.complete(job, number)
assert client.Scheduler.claim(job, 3)
assert value(166, {"e0578355-2532-4363-a15c-7753cd5ed987": repr(job)}).id == job
got = value(129, {"e0578355-2532-4363-a15c-7753cd5ed987": job})
document.compare(
    55,
    dataclasses.replace(got, steps=[got.steps[0], got.steps[3]]),
    # Steps that it leaves out, and a comma.
    {"... # more steps": "", "0.9822}\n": "0.9822},\n"},
)
listed = next(each for each in value(120) if each.id == job)
assert [step.fragments for step in listed.steps] == [None] * 4
for step in got.steps:
    step.fragments = None
assert listed == got

# Its files.
write("Another\n")
with open("filename", "rb") as handle:
    console = client.Fragments.upload(Fragment(filename="console.log", type=1), handle, job, 3)
assert client.Scheduler.complete(job, 3)
assert value(292, ids) == [console, uploaded]
assert value(302, ids) == [uploaded]
write("")
assert (value(313, ids), read()) == (True, "Another\n")
write("")
assert value(325, {"9bb9d33c-108b-4592-a87c-1b2fccbc8004": project.id}) is True
assert read() == "Another\n"
assert value(337, {"8db16292-c0cf-4def-8e64-d282d974f1a5": uploaded.id}) is True
assert read() == "Step 0\n"
assert client.Fragments.get_latest_by_job("none.log", None, job) is False

# How mlcycle's own tests are run.
document.leave(525)
document.finish()

# Wrong arguments, and requests that are not successful.
for wrong in (
    lambda: client.Jobs.get_by_id(""),
    lambda: client.Jobs.add_steps(job, []),
    lambda: client.Projects.add("new Project"),
    lambda: client.Projects.add(Project(name=" ")),
    lambda: client.Workers.update(worker.id, Worker(name="")),
    lambda: client.Scheduler.claim(job, -1),
    lambda: client.Scheduler.claim(job, 2.0),
    lambda: client.Fragments.upload(Fragment(filename="a", type=7), None, job, 0),
):
    try:
        answered = wrong()
    except mlcycle.ApiError:
        pass
    else:
        raise AssertionError(f"{answered} came back")
unknown = "job_00000000000000000000000000"
assert client.Jobs.get_by_id(unknown) is False
assert client.Jobs.add_metrics({"Loss": 1.0}, unknown, 0) is False
assert client.Fragments.get_all_by_job(unknown) is False
assert client.Projects.update(unknown, Project(name="x")) is False

# The lease of a claim is renewed.
mlcycle._client.LEASE_SECONDS = 3.0
long = client.Jobs.trigger(project.id).id
assert client.Scheduler.claim(long, 0)
EXPIRY = "query ($id: ID!) { job(id: $id) { step(number: 0) { attempts { leaseExpiresAt } } } }"


def expiry():
    found = trainyard.Client().execute(EXPIRY, {"id": long})
    return [attempt["leaseExpiresAt"] for attempt in found["job"]["step"]["attempts"]]


first = expiry()
deadline = time.monotonic() + 30
while expiry() == first:
    assert time.monotonic() < deadline, "the lease is not renewed"
    time.sleep(0.1)
assert client.Scheduler.complete(long, 0) is True

# Inside a step that an agent runs.
run = trainyard.Client().project(os.environ["AGENT_PROJECT"]).submit(
    [sys.executable, "-m", "trainyard.compat", "mlcycle", os.path.join(os.path.dirname(__file__), "mlcycle_step.py")]
)
run.wait()
inner = client.Jobs.get_by_id(run.id)
assert inner.steps[0].metrics == {"Loss": 0.5}
assert [each.filename for each in inner.steps[0].fragments] == ["notes.txt"]
