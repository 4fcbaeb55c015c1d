"""Devices: a process that claims steps and runs them."""

from __future__ import annotations

import os
import threading
import unittest
from typing import Any, List
from unittest import mock

from support import GatewayTest, Proxy, until

import trainyard as ty
from trainyard import _protocol


class DevicesTest(GatewayTest):
    def setUp(self) -> None:
        patch = mock.patch.object(_protocol.log, "warning")
        self.told: Any = patch.start()
        self.addCleanup(patch.stop)
        self.label = {"test": self.id()[-60:]}

    def device(self, name: str = "python", **more: Any) -> ty.Device:
        name = f"{name} {self.id()[-60:]} {os.getpid()}"
        return self.client.device(name, project=self.project.id, labels=self.label, **more)

    def submit(self, **more: Any) -> ty.Job:
        (label,) = self.label.items()
        step: Any = {"name": "train", "requiredLabels": [{"key": label[0], "value": label[1]}], **more.pop("step", {})}
        return self.project.submit(name="work", steps=[step], **more)

    def test_a_step_completes_at_the_end_of_its_with(self) -> None:
        device = self.device()
        job = self.submit(settings={"epochs": 2}, items=[{"name": "n", "value": "3", "valueType": "INT"}])
        for step in device.steps(wait=20):
            with step:
                self.assertEqual((step.name, step.number, step.job_id), ("train", 0, job.id))
                self.assertEqual((step.settings, step.items), ({"epochs": 2}, {"n": 3}))
                for epoch in range(2):
                    step.log({"loss": 1.0 / (epoch + 1)})
                step.write("works\n")
                step.save(b"weights", "model.bin")
                step.output["best"] = 0.5
            break
        job.wait()
        self.assertEqual((job.curve("loss").values, job.output), ([1.0, 0.5], {"best": 0.5}))
        self.assertEqual("".join(piece.text for piece in job.log()), "works\n")
        self.assertEqual(job.files["model.bin"].read_bytes(), b"weights")
        self.assertEqual(list((self.path("steps")).glob("*")), [])

    def test_an_exception_fails_the_step_and_goes_on(self) -> None:
        device = self.device()
        job = self.submit()
        with self.assertRaisesRegex(RuntimeError, "boom"):
            for step in device.steps(wait=20):
                with step:
                    raise RuntimeError("boom")
        self.assertEqual(job.refresh().status, "FAILED")
        self.assertEqual(job.data.history.description, "RuntimeError: boom")

    def test_an_interrupt_gives_the_step_back_for_another_device(self) -> None:
        job = self.submit()
        with self.assertRaises(KeyboardInterrupt):
            for step in self.device("first").steps(wait=20):
                with step:
                    raise KeyboardInterrupt
        self.assertEqual(job.refresh().data.steps[0].status, "QUEUED")
        for step in self.device("second").steps(wait=20):
            with step:
                pass
            break
        self.assertEqual(job.wait().status, "SUCCEEDED")

    def test_a_step_that_is_left_without_a_with_is_given_back(self) -> None:
        job = self.submit()
        device = self.device()
        found = 0
        for _ in device.steps(wait=20):
            found += 1
            if found == 2:
                break
        self.assertEqual(job.refresh().status, "RUNNING")  # The second claim of it.
        job.cancel(timeout=0)

    def test_a_cancelled_step_ends_its_with_without_an_exception(self) -> None:
        device = self.device(lease_seconds=3.0)
        job = self.submit()
        for step in device.steps(wait=20):
            with step:
                job.cancel("enough", timeout=60)
                until(lambda: step.should_stop, "the order to stop")
                step.check()
            break
        self.assertEqual(job.wait(check=False).status, "CANCELLED")

    def test_a_step_whose_lease_was_lost_reports_nothing_more(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        far = ty.Client(proxy.url, patience=5.0)
        name = f"lost {os.getpid()}"
        device = far.device(name, project=self.project.id, labels=self.label, lease_seconds=1.0)
        job = self.submit()
        for step in device.steps(wait=20):
            with step:
                proxy.leave()
                until(lambda: job.refresh().data.steps[0].status == "QUEUED", "the end of the lease")
                proxy.come_back()
                until(lambda: step.should_stop, "the refusal")
                self.assertRaises(ty.StepStopped, step.check)
            break
        self.assertEqual(job.refresh().data.steps[0].status, "QUEUED")
        job.cancel()

    def test_a_device_keeps_its_own_key_and_uses_it_again(self) -> None:
        first = self.device()
        again = self.client.device(first.name, project=self.project.id)
        self.assertEqual(again.id, first.id)
        viewer = again.client.viewer()
        self.assertEqual((viewer.kind, viewer.name), ("DEVICE", f"device:{first.name}"))
        (kept,) = [path for path in self.path("devices").glob("*.json") if first.name in path.read_text()]
        self.assertEqual(kept.stat().st_mode & 0o077, 0)
        kept.write_text('{"apiKey": "tyk_revoked"}')
        self.assertEqual(self.client.device(first.name, project=self.project.id).id, first.id)

    def test_a_loop_ends_when_it_is_stopped_or_idle(self) -> None:
        device = self.device()
        self.assertEqual(list(device.steps(wait=0, until_idle=True)), [])
        thread = threading.Thread(target=lambda: list(device.steps(wait=1)))
        thread.start()
        device.stop()
        thread.join(60)
        self.assertFalse(thread.is_alive())

    def test_a_loop_waits_for_a_gateway_that_is_away(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        name = f"waits {os.getpid()}"
        device = ty.Client(proxy.url).device(name, project=self.project.id, labels=self.label)
        proxy.leave()
        got: List[str] = []

        def work() -> None:
            for step in device.steps(wait=20):
                with step:
                    got.append(step.job_id)
                return

        thread = threading.Thread(target=work)
        thread.start()
        before = proxy.accepted
        until(lambda: proxy.accepted > before + 1, "its tries")
        job = self.submit()
        proxy.come_back()
        thread.join(60)
        self.assertEqual((got, job.wait().status), ([job.id], "SUCCEEDED"))

    def test_devices_train_a_federated_model(self) -> None:
        start = self.client.execute(
            "mutation($input: CreateFragmentInput!) { createFragment(input: $input) {"
            " ... on CreateFragmentPayload { fragment { id } uploadUrl } ... on Error { message } } }",
            {"input": {"projectId": self.project.id, "filename": "start.safetensors", "type": "MODEL"}},
        )["createFragment"]
        import urllib.request

        body = ty.tensors.dumps({"w": [0.0, 0.0]})
        url = self.client.url + start["uploadUrl"]
        urllib.request.urlopen(urllib.request.Request(url, body, method="PUT")).close()
        devices = [self.device(f"edge-{i}", kind="EDGE") for i in range(2)]
        job = self.project.submit(
            name="federated",
            federation={
                "numDevices": 2,
                "startModelFragmentId": start["fragment"]["id"],
                "terminationCriteria": [{"maxRounds": 2}],
            },
        )

        def train(device: ty.Device, samples: int) -> None:
            for step in device.steps(wait=2):
                with step:
                    assert step.start_model is not None
                    weights = step.start_model.tensors()["w"].tolist()
                    step.submit(
                        {"w": [weight + samples for weight in weights]},
                        num_samples=samples,
                        metrics={"loss": 1.0},
                    )
                if step.round_number == 2:
                    return

        threads = [threading.Thread(target=train, args=(each, i + 1)) for i, each in enumerate(devices)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(job.wait(timeout=120).status, "SUCCEEDED")
        data = self.client.execute(
            "query($id: ID!) { job(id: $id) { federation { aggregateModel { id filename } } } }", {"id": job.id}
        )["job"]["federation"]["aggregateModel"]
        weights = job.files[data["filename"]].tensors()["w"].tolist()
        # The mean weighted by samples: (1*1 + 2*2) / 3 in each round.
        self.assertAlmostEqual(weights[0], 10 / 3, places=5)


if __name__ == "__main__":
    unittest.main()
