"""neuromation's document, run by `python -m trainyard.compat neuromation`."""

import asyncio
import dataclasses
import enum
import inspect
import os
import re

import neuromation
from document import Document
from neuromation.api import Container, HTTPPort, JobStatus, RemoteImage, Resources, Volume

import trainyard as ty

document = Document("neuromation", {"__name__": "__main__"})

# What the document declares: signatures, and the attributes of classes.
for block in document.blocks:
    here = getattr(neuromation.api, block.section)
    for name, signature in re.findall(r"comethod:: (\w+)([\s\S]*?)(?=\n +\.\.|\Z)", block.text):
        shown = re.sub(r"\s+", " ", signature.replace("\\", "")).replace(", )", ")").replace(" )", ")")
        method = getattr(here, name)
        own = str(inspect.signature(method)).replace("'", "").replace("(self, ", "(")
        document.check(block.line, own == shown, f"{block.section}.{name}{own}, not {shown}")
    attributes = re.findall(r"attribute:: (\w+)", block.text)
    if dataclasses.is_dataclass(here):
        own = [field.name for field in dataclasses.fields(here)]
        document.check(block.line, own == attributes, f"{block.section} has {own}, not {attributes}")
        assert here.__dataclass_params__.frozen
    elif issubclass(here, enum.Enum):
        own = [each.name for each in here]
        document.check(block.line, own == attributes, f"{block.section} has {own}, not {attributes}")
document.finish()

REPORT = """mutation report($input: ReportProgressInput!) {
  reportProgress(input: $input) { ... on ReportProgressPayload { isCancelRequested } }
}"""
os.environ["TRAINYARD_PROJECT_ID"] = os.environ["AGENT_PROJECT"]
gateway = ty.Client()
image = RemoteImage("python", "3.12", "library", "registry.example.com")


async def ended(client, job):
    while not job.history.finished_at:
        await asyncio.sleep(0.1)
        job = await client.jobs.status(job.id)
    return job


async def main():
    async with neuromation.api.get() as client:
        # An agent runs it.
        container = Container(
            image=image,
            resources=Resources(memory_mb=64, cpu=0.1, shm=True),
            entrypoint="python3 -u",
            command='train.py --name "a b"',
            http=HTTPPort(8080, requires_auth=True),
            env={"SEED": "7"},
            volumes=[Volume("/data", "/in", read_only=True)],
        )
        job = await client.jobs.run(container, name="train", description="ResNet on cats", is_preemptible=True)
        assert (job.status, job.history.status) == (JobStatus.PENDING, JobStatus.PENDING)
        assert (job.name, job.description, job.is_preemptible) == ("train", "ResNet on cats", True)
        assert job.container == container, job.container
        assert (job.http_url, job.ssh_server, job.internal_hostname) == ("", "", None)
        assert (job.history.exit_code, job.history.started_at, job.history.description) == (None, None, "")
        job = await ended(client, job)
        assert (job.status, job.history.exit_code) == (JobStatus.SUCCEEDED, 0), job
        assert job.history.created_at <= job.history.started_at <= job.history.finished_at

        # Nobody can run it.
        large = Container(RemoteImage("python"), Resources(memory_mb=64, cpu=1000.0))
        plain = await client.jobs.run(large, schedule_timeout=0.5)
        assert (plain.name, plain.description, plain.container) == ("python", None, large)
        plain = await ended(client, plain)
        assert (plain.status, plain.history.reason) == (JobStatus.FAILED, "SCHEDULE_TIMEOUT")

        # A machine of its own, that reports what it uses.
        waiting = await client.jobs.run(large, name="train")
        device = gateway.device("large", resources=ty.Resources(cpu=1000, memory_mb=100))
        step = next(iter(device.steps(wait=10)))
        sample = {"cpu": 0.5, "memoryMb": 12.0, "gpuDutyCycle": 40, "gpuMemory": 0.25}
        told = {"leaseToken": step._lease.token, "telemetry": [sample], "httpUrl": "http://10.0.0.1:8080/ui"}
        device.client.execute(REPORT, {"input": told})
        running = await client.jobs.status(waiting.id)
        assert running.status == JobStatus.RUNNING
        url = running.http_url
        assert (url.scheme, url.host, url.port, url.path) == ("http", "10.0.0.1", 8080, "/ui")
        async for used in client.jobs.top(waiting.id):
            assert (used.cpu, used.memory, used.gpu_duty_cycle, used.gpu_memory) == (0.5, 12.0, 40, 0.25)
            assert abs(used.timestamp - running.history.started_at.timestamp()) < 60
            break

        mine = [waiting.id, plain.id, job.id]

        async def ids(**filters):
            return [each.id for each in await client.jobs.list(**filters) if each.id in mine]

        assert await ids() == mine
        assert await ids(statuses={JobStatus.RUNNING}) == [waiting.id]
        assert await ids(statuses={JobStatus.SUCCEEDED, JobStatus.FAILED}) == [plain.id, job.id]
        assert await ids(name="train") == [waiting.id, job.id]
        assert await ids(name="trai") == []

        await client.jobs.kill(waiting.id)
        step.fail("Stopped.")
        assert (await client.jobs.status(waiting.id)).status == JobStatus.CANCELLED
        try:
            await client.jobs.kill(waiting.id)
        except ty.InvalidState:
            pass
        else:
            raise AssertionError("A job that has ended was killed.")


asyncio.run(main())
