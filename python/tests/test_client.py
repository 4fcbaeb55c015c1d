"""Client, against a real gateway with an agent: jobs, files, refusals."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any, List
from unittest import mock

from support import GatewayTest, Proxy, until

import trainyard as ty
from trainyard import _protocol, _transfers

TRAIN = """
for i in 1 2 3; do
  echo "epoch $i"
  echo "{\\"iteration\\": $i, \\"loss\\": 0.$((9-i))}" >> "$TRAINYARD_METRICS"
done
printf done > fragments/result.txt
"""


class ClientTest(GatewayTest):
    def test_a_client_knows_its_gateway_and_itself(self) -> None:
        self.assertEqual(self.client.viewer().role, "ADMIN")
        self.assertEqual(self.client.gateway().version, ty.__version__)
        self.assertGreater(self.client.gateway().limits["fragmentBytesAtMost"], 0)

    def test_a_project_is_found_by_name_or_id_and_created_if_asked(self) -> None:
        self.assertEqual(self.client.project(self.project.name).id, self.project.id)
        self.assertEqual(self.client.project(self.project.id).name, self.project.name)
        with self.assertRaisesRegex(LookupError, "no project named 'nowhere'"):
            self.client.project("nowhere")
        made = self.client.project(f"made {os.getpid()}", create=True)
        self.assertEqual(self.client.project(made.name, create=True).id, made.id)

    def test_a_job_runs_and_is_read(self) -> None:
        job = self.project.submit(
            TRAIN,
            name="mnist",
            resources=ty.Resources(cpu=0.5, memory_mb=64),
            settings={"lr": 3e-4},
            labels={"team": "vision"},
            env={"COLOR": "blue"},
            description="three epochs",
        )
        self.assertEqual("".join(piece.text for piece in job.log()), "epoch 1\nepoch 2\nepoch 3\n")
        job.wait()
        self.assertEqual((job.status, job.name), ("SUCCEEDED", "mnist"))
        self.assertEqual((job.settings, job.labels), ({"lr": 3e-4}, {"team": "vision"}))
        self.assertEqual(job.metric_names(), ("loss",))
        curve = job.curve("loss")
        self.assertEqual((curve.iterations, curve.values), ([1, 2, 3], [0.8, 0.7, 0.6]))
        self.assertIn("<svg", curve._repr_html_())
        self.assertEqual([point.value for point in job.metrics("loss")], [0.8, 0.7, 0.6])
        self.assertEqual(job.files["result.txt"].read_text(), "done")
        kinds = [type(event).__name__ for event in job.events(follow=False)]
        self.assertEqual((kinds[0], kinds[-1]), ("JobCreatedEvent", "JobStatusChangedEvent"))
        self.assertIn(job.url, job._repr_html_())
        found = self.project.jobs(name="mnist", status="SUCCEEDED", labels={"team": "vision"})
        self.assertEqual([each.id for each in found], [job.id])

    def test_a_command_may_be_a_list_of_words(self) -> None:
        job = self.project.submit(["echo", "two words", "$HOME"])
        self.assertEqual(job.name, "echo")
        self.assertEqual("".join(piece.text for piece in job.log()), "two words $HOME\n")

    def test_a_folder_travels_with_a_job_and_is_sent_once(self) -> None:
        folder = self.path("code")
        (folder / "lib").mkdir(parents=True)
        (folder / "train.sh").write_text(". lib/model.sh\n")
        (folder / "lib" / "model.sh").write_text("echo trained\n")
        (folder / ".trainyardignore").write_text("*.bin\n")
        (folder / "large.bin").write_bytes(bytes(100_000))
        with mock.patch("trainyard._transfers._put", wraps=_transfers._put) as put:
            first = self.project.submit("sh train.sh", code=folder)
            self.assertEqual(put.call_count, 1)
            second = self.project.submit("sh train.sh", code=folder)
            self.assertEqual(put.call_count, 1)
        for job in (first, second):
            self.assertEqual("".join(piece.text for piece in job.log()), "trained\n")
            job.wait()
        self.assertEqual(first.data.code, second.data.code)
        code = second.data.code
        assert code is not None and code.size_bytes is not None
        self.assertLess(code.size_bytes, 10_000)
        self.assertIsNone(code.git)
        (folder / "link").symlink_to("/etc/passwd")
        with self.assertRaisesRegex(ValueError, "'link' is a link that leads out of the folder"):
            self.project.submit("sh train.sh", code=folder)
        with self.assertRaises(NotADirectoryError):
            self.project.submit("sh train.sh", code=folder / "nowhere")

    def test_a_failed_job_is_raised_by_wait_with_its_reason_and_exit_code(self) -> None:
        job = self.project.submit("exit 3")
        with self.assertRaises(ty.JobFailed) as caught:
            job.wait()
        failure = caught.exception
        self.assertEqual((failure.reason, failure.exit_code), ("EXIT_CODE", 3))
        self.assertEqual(job.wait(check=False).status, "FAILED")
        again = job.retry()
        self.assertNotEqual(again.id, job.id)
        again.wait(check=False)

    def test_waiting_with_a_timeout_leaves_the_job_alone(self) -> None:
        job = self.project.submit(name="never", steps=[{"name": "of no device", "requiredLabels": [{"key": "no", "value": "one"}]}])
        with self.assertRaises(TimeoutError):
            job.wait(timeout=0.3)
        self.assertEqual(job.refresh().status, "QUEUED")
        self.assertEqual(job.update(priority=7, labels={"a": "b"}).data.priority, 7)
        with self.assertRaises(ty.InvalidState):
            job.delete()
        self.assertEqual(job.cancel("enough").status, "CANCELLED")
        with self.assertRaises(ty.InvalidState) as caught:
            job.cancel()
        self.assertEqual(caught.exception.status, "CANCELLED")
        self.assertIn("QUEUED", caught.exception.allowed)
        job.delete()
        with self.assertRaises(ty.NotFound):
            job.refresh()
        with self.assertRaises(ty.NotFound):
            job.delete()

    def test_wrong_input_is_raised_with_the_path_of_each_field(self) -> None:
        with self.assertRaises(ty.InvalidInput) as caught:
            self.project.submit("x", labels={"": "x"}, priority=2_000_000_000)
        paths = [".".join(issue.path) for issue in caught.exception.issues]
        self.assertIn("labels.0.key", paths)
        with self.assertRaisesRegex(ty.RequestRefused, "noField"):
            self.project.submit("x", noField=1)
        with self.assertRaises(ValueError):
            self.project.submit()
        with self.assertRaises(ValueError):
            self.project.submit("x", secret_env=["NOT_IN_THIS_ENVIRONMENT"])

    def test_any_document_can_be_executed(self) -> None:
        data = self.client.execute("query($id: ID!) { project(id: $id) { name } }", {"id": self.project.id})
        self.assertEqual(data, {"project": {"name": self.project.name}})
        with self.assertRaises(ty.RequestRefused) as caught:
            self.client.execute("{ nothing }")
        self.assertEqual(caught.exception.code, "BAD_REQUEST")

    def test_a_wrong_key_is_refused_at_once(self) -> None:
        with self.assertRaises(ty.RequestRefused) as caught:
            ty.Client(token="tyk_wrong").viewer()
        self.assertEqual(caught.exception.code, "UNAUTHENTICATED")

    def test_a_mutation_whose_answer_was_lost_takes_effect_once(self) -> None:
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        client = ty.Client(proxy.url)
        proxy.cut_after = 100  # In the middle of the answer.
        patch = mock.patch.object(_protocol.log, "warning")
        told: Any = patch.start()
        self.addCleanup(patch.stop)
        original = ty.Client.run

        def heal(self: ty.Client, conversation: Any) -> Any:
            return original(self, self_healing(conversation))

        def self_healing(conversation: Any) -> Any:
            effect = next(conversation)
            try:
                while True:
                    if isinstance(effect, _protocol.Pause):
                        proxy.cut_after = 0
                    try:
                        answer = yield effect
                    except Exception as error:
                        effect = conversation.throw(error)
                    else:
                        effect = conversation.send(answer)
            except StopIteration as end:
                return end.value

        project = ty.Project(client, self.project.data)
        with mock.patch.object(ty.Client, "run", heal):
            job = project.submit("true", name="once")
        self.assertGreaterEqual(proxy.accepted, 2)
        self.assertEqual([each.id for each in self.project.jobs(name="once")], [job.id])
        self.assertFalse(told.called)  # It took less than 5 s.
        proxy.cut_after = 0

    def test_it_tells_what_it_waits_for_and_gives_up_after_its_patience(self) -> None:
        lines: List[str] = []
        handler = logging.StreamHandler(io.StringIO())
        handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
        logging.getLogger("trainyard").addHandler(handler)
        self.addCleanup(logging.getLogger("trainyard").removeHandler, handler)
        proxy = Proxy(self.client.url)
        proxy.close()
        with mock.patch.object(_protocol, "QUIET_SECONDS", 0.1), self.assertRaises(ty.GatewayUnreachable):
            ty.Client(proxy.url, patience=0.6).viewer()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("waiting for the gateway, to viewer", lines[0])
        self.assertIn(proxy.url, lines[0])

    def test_threads_share_a_client(self) -> None:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(8) as pool:
            names = list(pool.map(lambda _: self.client.viewer().name, range(40)))
        self.assertEqual(len(set(names)), 1)

    def test_secret_variables_reach_the_device_alone(self) -> None:
        with mock.patch.dict(os.environ, {"MY_SECRET": "hush-hush"}):
            job = self.project.submit("echo ${#MY_SECRET}", secret_env=["MY_SECRET"])
        self.assertEqual("".join(piece.text for piece in job.log()), "9\n")
        data = self.client.execute("query($id: ID!) { job(id: $id) { container { env { value } } } }", {"id": job.id})
        self.assertNotIn("hush-hush", str(data))


class FilesTest(GatewayTest):
    job: ty.Job

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.job = cls.project.submit(name="files", steps=[{"name": "x", "requiredLabels": [{"key": "no", "value": "one"}]}])

    def test_files_are_uploaded_listed_and_downloaded(self) -> None:
        path = self.path("data.bin")
        path.write_bytes(os.urandom(700_000))
        stored = self.job.files.upload(path)
        self.assertEqual((stored.name, stored.size, stored.type), ("data.bin", 700_000, "DATA"))
        self.job.files.upload(b"{}", "nested/config.json")
        self.assertLessEqual({"data.bin", "nested/config.json"}, {file.name for file in self.job.files})
        self.assertIn("nested/config.json", self.job.files)
        self.assertNotIn("nothing", self.job.files)
        with self.assertRaises(KeyError):
            self.job.files["nothing"]
        folder = self.path("downloads")
        folder.mkdir()
        found = self.job.files["nested/config.json"].download(folder)
        self.assertEqual(found, folder / "config.json")
        self.assertEqual(self.job.files["data.bin"].read_bytes(), path.read_bytes())

    def test_a_file_of_the_same_name_is_refused_unless_it_replaces(self) -> None:
        first = self.job.files.upload(b"one", "name.txt")
        with self.assertRaises(ty.AlreadyExists) as caught:
            self.job.files.upload(b"two", "name.txt")
        self.assertEqual(caught.exception.existing_id, first.id)
        self.job.files.upload(b"three", "name.txt", replace=True)
        self.assertEqual(self.job.files["name.txt"].read_text(), "three")
        with self.assertRaises(ValueError):
            self.job.files.upload(b"no name")
        with self.assertRaises(FileNotFoundError):
            self.job.files.upload(self.path("missing"))

    def test_an_empty_file_is_stored_and_read(self) -> None:
        self.assertEqual(self.job.files.upload(b"", "empty").read_bytes(), b"")

    def test_transfers_go_on_after_the_connection_was_cut(self) -> None:
        content = os.urandom(3_000_000)
        proxy = Proxy(self.client.url)
        self.addCleanup(proxy.close)
        client = ty.Client(proxy.url)
        job = ty.Job(client, self.job.data)
        stored = job.files.upload(content, "large.bin")
        proxy.cut_after = 800_000
        target = stored.download(self.path("large.bin"))
        self.assertEqual(target.read_bytes(), content)
        self.assertGreaterEqual(proxy.accepted, 4)
        self.assertFalse(self.path("large.bin.part").exists())

    def test_a_download_goes_on_where_another_process_stopped_and_is_checked(self) -> None:
        content = os.urandom(500_000)
        stored = self.job.files.upload(content, "resumed.bin")
        part = self.path("resumed.bin.part")
        part.write_bytes(content[:300_000])
        self.assertEqual(stored.download(self.path("resumed.bin")).read_bytes(), content)
        part.write_bytes(b"x" * 300_000)  # Of another file.
        self.assertEqual(stored.download(self.path("resumed.bin")).read_bytes(), content)

    def test_tensors_are_read_from_a_file(self) -> None:
        self.job.files.upload(ty.tensors.dumps({"w": [[1.0, 2.0]]}), "m.safetensors")
        file = self.job.files["m.safetensors"]
        self.assertEqual((file.type, file.tensors()["w"].tolist()), ("MODEL", [[1.0, 2.0]]))

    def test_a_progress_bar_is_drawn_on_a_terminal_alone(self) -> None:
        from trainyard import _transfers

        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        for stream, drawn in ((Terminal(), True), (io.StringIO(), False)):
            with mock.patch.object(sys, "stderr", stream):
                with _transfers.Bar("m.bin", 100, True) as bar:
                    bar._next = 0.0  # pyright: ignore[reportPrivateUsage]
                    bar.add(50)
            self.assertEqual("50%" in stream.getvalue(), drawn)


class CommandTest(GatewayTest):
    def test_the_package_says_how_it_is_used(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(ty.__file__).parent.parent)}
        run = subprocess.run([sys.executable, "-m", "trainyard"], env=environment, capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("python -m trainyard sync", run.stderr)

    def test_following_a_job_shows_its_metrics(self) -> None:
        job = self.project.submit(TRAIN, name="shown")
        with mock.patch.object(sys, "stderr", io.StringIO()) as shown:
            job.follow()
        self.assertIn("loss 0.6", shown.getvalue())
        self.assertIn("shown SUCCEEDED", shown.getvalue())
        until(lambda: job.refresh().status == "SUCCEEDED", "its end")


if __name__ == "__main__":
    unittest.main()
