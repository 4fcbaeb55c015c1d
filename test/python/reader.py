"""Reads the metrics of a job to its end, blocking or with asyncio, and prints their iterations."""

import asyncio
import sys

import trainyard as ty

job_id, kind = sys.argv[1:]


async def read() -> "list[int | None]":
    job = await ty.AsyncClient().job(job_id)
    return [point.iteration async for point in job.metrics("loss")]


if kind == "asyncio":
    iterations = asyncio.run(read())
else:
    iterations = [point.iteration for point in ty.Client().job(job_id).metrics("loss")]
print(",".join(str(iteration) for iteration in iterations))
