"""What an agent runs: it finds its step in the environment."""

import mlcycle

client = mlcycle.from_env()
assert client.Jobs.add_metrics({"Loss": 0.5}).id == client.env.job
with open("notes", "w") as file:
    file.write("From inside\n")
with open("notes") as handle:
    stored = client.Fragments.upload(mlcycle.Fragment(filename="notes.txt"), handle)
assert (stored.job_id, stored.step_number) == (client.env.job, client.env.step)
