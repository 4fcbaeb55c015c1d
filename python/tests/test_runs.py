"""Runs: a job of its own outside of a step, and the step itself inside of one."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from typing import Any, Dict, List
from unittest import mock

from support import GatewayTest, Proxy, until

import trainyard as ty
from trainyard import _endings, _runs

SOURCES = str(Path(ty.__file__).parent.parent)
HEAD = "import os, signal, sys\nimport trainyard as ty\n"


class OwnRunTest(GatewayTest):
    def setUp(self) -> None:
        handler = logging.StreamHandler(io.StringIO())
        self.told: List[str] = []
        handler.emit = lambda record: self.told.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("trainyard").addHandler(handler)
        self.addCleanup(logging.getLogger("trainyard").removeHandler, handler)

    def init(self, name: str, **more: Any) -> ty.Run:
        return ty.init(project=self.project.id, name=name, **more)

    def start(self, script: str, **environment: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-c", HEAD + script, self.project.id],
            env={**os.environ, "PYTHONPATH": SOURCES, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def test_a_run_is_a_job_with_metrics_log_files_and_summary(self) -> None:
        with self.init("run", config={"lr": 3e-4}, labels={"a": "b"}) as run:
            for epoch in range(5):
                run.log({"loss": 1.0 / (epoch + 1), "acc": epoch})
            run.write("größer\n")
            path = self.path("model.pt")
            path.write_bytes(b"weights")
            file = run.save(path)
            assert file is not None
            self.assertEqual((file.name, file.type), ("model.pt", "MODEL"))
            path.write_bytes(b"better")
            run.save(path)
            run.summary["best"] = {"acc": 4, "nan": float("nan")}
            self.assertEqual(run.job.status, "RUNNING")
            self.assertFalse(run.should_stop)
        job = run.job
        self.assertEqual((job.status, job.name, job.settings), ("SUCCEEDED", "run", {"lr": 3e-4}))
        self.assertEqual((job.labels, job.output), ({"a": "b"}, {"best": {"acc": 4, "nan": "nan"}}))
        self.assertEqual(job.curve("acc").values, [0, 1, 2, 3, 4])
        self.assertEqual(job.curve("acc").iterations, [0, 1, 2, 3, 4])
        self.assertEqual("".join(piece.text for piece in job.log()), "größer\n")
        self.assertEqual(job.files["model.pt"].read_bytes(), b"better")
        self.assertFalse((_endings.runs_folder() / job.id).exists())

    def test_a_project_that_is_not_there_is_created(self) -> None:
        name = f"new {os.getpid()}"
        with ty.init(project=name, name="first"):
            pass
        with ty.init(project=name, name="second"):
            pass
        found = [project for project in self.client.projects() if project.name == name]
        self.assertEqual(len(found), 1)
        self.assertEqual(len(found[0].jobs()), 2)

    def test_an_exception_fails_the_run_and_goes_on(self) -> None:
        with self.assertRaises(ZeroDivisionError), self.init("fails") as run:
            run.log({"loss": 1.0})
            _ = 1 / 0
        job = run.job
        self.assertEqual((job.status, job.curve("loss").values), ("FAILED", [1.0]))
        self.assertEqual(job.data.history.description, "ZeroDivisionError: division by zero")

    def test_an_interrupt_cancels_the_run(self) -> None:
        with self.assertRaises(KeyboardInterrupt), self.init("interrupted") as run:
            raise KeyboardInterrupt
        self.assertEqual(run.job.status, "CANCELLED")

    def test_a_cancelled_run_is_told_to_stop(self) -> None:
        with mock.patch.object(_endings, "LEASE_SECONDS", 3.0), self.init("cancelled") as run:
            run.job.cancel()
            until(lambda: run.should_stop, "the order to stop")
        self.assertEqual(run.job.status, "CANCELLED")

    def test_what_is_not_a_finite_number_is_left_out_and_told_once(self) -> None:
        with self.init("odd") as run:
            for _ in range(3):
                run.log({"loss": float("nan"), "text": "x", "flag": True, "fine": 1})
        self.assertEqual(set(run.job.metric_names()), {"fine", "flag"})
        self.assertEqual(len([line for line in self.told if "'loss'" in line]), 1)

    def test_of_two_values_for_a_step_the_first_stays_and_it_is_told(self) -> None:
        with self.init("twice") as run:
            run.log({"loss": 1.0}, step=1)
            until(lambda: run.job.metric_names() == ("loss",), "the first value")
            run.log({"loss": 2.0}, step=1)
        self.assertEqual(run.job.curve("loss").values, [1.0])
        self.assertTrue(any("stays 1" in line for line in self.told), self.told)

    def test_a_value_that_the_gateway_refuses_does_not_hold_up_the_others(self) -> None:
        with self.init("refused") as run:
            for step in range(20):
                run.log({"good": step, "x" * (300 if step == 7 else 1): step})
        self.assertEqual(run.job.curve("good").values, list(range(20)))
        self.assertEqual(len(run.job.curve("x")), 19)
        self.assertTrue(any("left out" in line for line in self.told), self.told)

    def test_a_lost_lease_is_claimed_again(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        with mock.patch.object(_endings, "LEASE_SECONDS", 1.0):
            run = ty.init(project=self.project.id, name="sleeper", client=ty.Client(proxy.url))
            run.log({"loss": 0.0})
            until(lambda: run.job.metric_names() == ("loss",), "the first value")
            proxy.leave()  # As a laptop that sleeps.
            own = self.client.job(run.id)
            until(lambda: own.refresh().data.steps[0].status == "QUEUED", "the end of the lease")
            run.log({"loss": 1.0})
            proxy.come_back()
            until(lambda: len(own.curve("loss")) == 2, "the second value")
            run.finish()
        self.assertEqual(own.refresh().status, "SUCCEEDED")
        self.assertTrue(any("new attempt" in line for line in self.told), self.told)

    def test_logging_never_waits_for_a_gateway_that_is_away(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        run = ty.init(project=self.project.id, name="away", client=ty.Client(proxy.url))
        proxy.leave()
        for step in range(1000):
            run.log({"loss": step}, step=step)
        proxy.come_back()
        run.finish()
        job = self.client.job(run.id)
        self.assertEqual((job.status, len(job.curve("loss"))), ("SUCCEEDED", 1000))

    def test_a_forked_worker_reports_nothing(self) -> None:
        run = self.init("forks")
        child = os.fork()
        if child == 0:
            run.log({"loss": 9.0})
            os._exit(0)
        os.waitpid(child, 0)
        run.log({"loss": 1.0})
        run.finish()
        self.assertEqual(run.job.curve("loss").values, [1.0])

    def test_a_script_without_a_with_is_ended_at_its_exit(self) -> None:
        endings: Dict[str, str] = {"pass": "SUCCEEDED", "1 / 0": "FAILED", "sys.exit(0)": "SUCCEEDED"}
        for statement, status in endings.items():
            process = self.start(
                "run = ty.init(project=sys.argv[1], name='script')\n"
                f"run.log({{'loss': 1.0}})\nprint(run.id)\n{statement}\n"
            )
            out, error = process.communicate()
            job = self.client.job(out.strip())
            self.assertEqual((job.status, job.curve("loss").values), (status, [1.0]), error)

    def test_what_a_killed_process_left_is_delivered_and_its_job_fails(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        process = self.start(
            "run = ty.init(project=sys.argv[1], name='killed')\n"
            "print(run.id, flush=True)\nsys.stdin.readline()\n"
            "for step in range(500): run.log({'loss': step}, step=step)\n"
            "run._reporter.outbox.flush(60)\nos.kill(os.getpid(), signal.SIGKILL)\n",
            TRAINYARD_URL=proxy.url,
        )
        assert process.stdout is not None
        job = self.client.job(process.stdout.readline().strip())
        proxy.leave()
        process.communicate()
        proxy.come_back()
        self.assertEqual(ty.sync(ty.Client(proxy.url)), 1)
        self.assertEqual(job.refresh().status, "FAILED")
        self.assertEqual([point.iteration for point in job.metrics("loss")], list(range(500)))
        self.assertEqual(ty.sync(ty.Client(proxy.url)), 0)

    def test_a_run_that_ended_while_the_gateway_was_away_is_completed_by_the_command(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        with mock.patch.object(_runs, "FINISH_SECONDS", 0.3):
            run = ty.init(project=self.project.id, name="late", client=ty.Client(proxy.url, patience=0.3))
            proxy.leave()
            run.log({"loss": 1.0})
            run.summary["done"] = True
            run.finish()
        self.assertTrue(any("python -m trainyard sync" in line for line in self.told), self.told)
        proxy.come_back()
        command = subprocess.run(
            [sys.executable, "-m", "trainyard", "sync"],
            env={**os.environ, "PYTHONPATH": SOURCES, "TRAINYARD_URL": proxy.url},
            capture_output=True,
            text=True,
        )
        self.assertEqual(command.returncode, 0, command.stderr)
        self.assertIn("1 runs are done", command.stdout)
        job = self.client.job(run.id)
        self.assertEqual((job.status, job.output), ("SUCCEEDED", {"done": True}))
        self.assertEqual(job.curve("loss").values, [1.0])

    def test_threads_may_log_at_once(self) -> None:
        with self.init("threads") as run:
            threads = [
                threading.Thread(target=lambda n=n: [run.log({f"m{n}": i}, step=i) for i in range(200)])
                for n in range(4)
            ]
            for each in threads:
                each.start()
            for each in threads:
                each.join()
        for n in range(4):
            self.assertEqual(run.job.curve(f"m{n}").values, list(range(200)))


STEP = """
import signal, sys, threading
import trainyard as ty
with ty.init(config={"lr": 1.0, "epochs": 3}) as run:
    print(type(run).__name__, run.config, flush=True)
    for epoch in range(run.config["epochs"]):
        run.log({"loss": 1.0 / (epoch + 1), "bad": float("nan")}, step=epoch)
    open("model.pt", "wb").write(b"weights")
    run.save("model.pt")
    run.summary["best"] = 0.5
"""

WAITS = """
import threading
import trainyard as ty
with ty.init() as run:
    print("ready", flush=True)
    while not run.should_stop:
        threading.Event().wait(0.05)
    print("stops", flush=True)
"""


class StepRunTest(GatewayTest):
    def submit(self, script: str, **more: Any) -> ty.Job:
        return self.project.submit([sys.executable, "-c", script], env={"PYTHONPATH": SOURCES}, **more)

    def test_a_run_inside_a_step_is_that_step(self) -> None:
        job = self.submit(STEP, settings={"lr": 0.1}).wait()
        log = "".join(piece.text for piece in job.log() if piece.stream == "STDOUT")
        self.assertEqual(log, "StepRun {'lr': 0.1, 'epochs': 3}\n")
        self.assertEqual(job.curve("loss").iterations, [0, 1, 2])
        self.assertEqual((job.output, job.files["model.pt"].read_bytes()), ({"best": 0.5}, b"weights"))

    def test_an_exception_inside_a_step_fails_it(self) -> None:
        job = self.submit("import trainyard as ty\nwith ty.init() as run:\n    1 / 0\n")
        with self.assertRaises(ty.JobFailed) as caught:
            job.wait()
        self.assertEqual(caught.exception.exit_code, 1)

    def test_a_run_inside_a_step_hears_that_it_has_to_stop(self) -> None:
        job = self.submit(WAITS)
        log = job.log()
        self.assertEqual(next(log).text, "ready\n")
        job.cancel()
        self.assertIn("stops\n", "".join(piece.text for piece in log))
        self.assertEqual(job.wait(check=False).status, "CANCELLED")


if __name__ == "__main__":
    unittest.main()
