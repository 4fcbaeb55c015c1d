"""A notebook: three runs of a small training, watched while they learn, and then compared.

Editors and Jupyter (jupytext) show the parts between `# %%` as cells. It also runs as a script:
`python learning_rates.py`.
"""

# %% Data: points near the line y = 3x + 2
import random
import threading

import trainyard as ty

PROJECT = "notebook"
chance = random.Random(1)
points = [(x, 3 * x + 2 + chance.gauss(0, 0.1)) for x in (chance.random() for _ in range(200))]


# %% What a run does. Each is a job of its own, which this process holds.
def train(rate: float) -> ty.Job:
    slope = offset = 0.0
    with ty.init(project=PROJECT, name=f"rate {rate}", config={"rate": rate}, labels={"sweep": "rates"}) as run:
        watcher = watch(run.job)
        for epoch in range(20):
            loss = 0.0
            for x, y in points:
                error = slope * x + offset - y
                slope -= run.config["rate"] * error * x
                offset -= run.config["rate"] * error
                loss += error * error / len(points)
            run.log({"loss": loss}, step=epoch)
            if run.should_stop:  # cancelled in the console, for example
                break
        run.summary.update(loss=loss, slope=round(slope, 1), offset=round(offset, 1))
    watcher.join()
    return run.job


# %% A watcher: it follows the stored points of a run, wherever that runs, and ends with it.
def watch(job: ty.Job) -> threading.Thread:
    def follow() -> None:
        losses = [point.value for point in job.metrics("loss")]
        print(f"{job.name}: {len(losses)} points, from {losses[0]:.3f} to {losses[-1]:.3f}")

    watcher = threading.Thread(target=follow)
    watcher.start()
    return watcher


# %% Run them, and look at them in the console meanwhile
for rate in (0.001, 0.01, 0.1):
    train(rate)

# %% Compare: the gateway has their outputs and curves, also in another notebook or tomorrow
jobs = ty.Client().project(PROJECT).jobs(labels={"sweep": "rates"})[:3]
best = min(jobs, key=lambda job: job.output["loss"])
print("best:", best.name, best.output["slope"], best.output["offset"])
