"""Streams, over connections that are cut: each entry once, in order."""

from __future__ import annotations

import asyncio
import threading
import unittest
from typing import List, Optional
from unittest import mock

from support import GatewayTest, Proxy, until

import trainyard as ty
from trainyard import _protocol

LINES = """
i=0
while [ $i -lt 300 ]; do
  i=$((i+1))
  echo "line $i"
  echo "{\\"iteration\\": $i, \\"loss\\": $i}" >> "$TRAINYARD_METRICS"
done
"""
EXPECTED = "".join(f"line {i}\n" for i in range(1, 301))


class StreamsTest(GatewayTest):
    def setUp(self) -> None:
        self.proxy = Proxy(self.client.url)
        self.addCleanup(self.proxy.close)
        patch = mock.patch.object(_protocol.log, "warning")
        patch.start()
        self.addCleanup(patch.stop)
        # Cut often, and back at once.
        pauses = mock.patch.object(_protocol.Backoff, "failed", lambda self: 0.01)
        pauses.start()
        self.addCleanup(pauses.stop)

    def test_a_log_and_metrics_are_read_once_and_in_order_over_many_cuts(self) -> None:
        job = self.project.submit(LINES).wait()
        job = ty.Client(self.proxy.url).job(job.id)
        self.proxy.cut_after = 9_000
        self.assertEqual("".join(piece.text for piece in job.log()), EXPECTED)
        iterations = [point.iteration for point in job.metrics("loss")]
        self.assertEqual(iterations, list(range(1, 301)))
        self.assertGreater(self.proxy.accepted, 5)

    def test_async_metrics_are_read_once_and_in_order_over_many_cuts(self) -> None:
        job_id = self.project.submit(LINES).wait().id
        self.proxy.cut_after = 9_000

        async def read() -> List[Optional[int]]:
            job = await ty.AsyncClient(self.proxy.url).job(job_id)
            return [point.iteration async for point in job.metrics("loss")]

        self.assertEqual(asyncio.run(read()), list(range(1, 301)))
        self.assertGreater(self.proxy.accepted, 5)

    def test_a_stream_goes_on_from_a_cursor_that_was_kept(self) -> None:
        job = self.project.submit(LINES).wait()
        first = job.log(follow=False)
        text = next(first).text
        while first.cursor is None:
            text += next(first).text
        first.close()
        rest = "".join(piece.text for piece in job.log(after=first.cursor))
        self.assertEqual(text + rest, EXPECTED)
        self.assertEqual(first.missed, 0)

    def test_a_stream_that_waits_is_ended_by_another_thread(self) -> None:
        job = self.project.submit(name="waits", steps=[{"name": "x", "requiredLabels": [{"key": "no", "value": "one"}]}])
        stream = job.log()
        ended = threading.Event()

        def read() -> None:
            self.assertEqual(list(stream), [])
            ended.set()

        thread = threading.Thread(target=read)
        thread.start()
        until(lambda: stream._frames.subscription.cursor is not None, "the first frame")
        stream.close()
        thread.join(30)
        self.assertTrue(ended.is_set())

    def test_a_stream_that_is_refused_raises_and_one_of_no_gateway_gives_up(self) -> None:
        job = self.project.submit("true").wait()
        wrong = ty.Job(ty.Client(token="tyk_wrong"), job.data)
        with self.assertRaises(ty.RequestRefused) as caught:
            next(wrong.log())
        self.assertEqual(caught.exception.code, "UNAUTHENTICATED")
        self.proxy.leave()
        away = ty.Job(ty.Client(self.proxy.url, patience=0.1), job.data)
        with self.assertRaises(ty.GatewayUnreachable):
            next(away.log())

    def test_following_goes_on_while_the_gateway_is_away(self) -> None:
        job = self.project.submit(name="lives", steps=[{"name": "x", "requiredLabels": [{"key": "no", "value": "one"}]}])
        far = ty.Client(self.proxy.url).job(job.id)
        ended: List[str] = []

        def wait() -> None:
            ended.append(far.wait(check=False).status)

        thread = threading.Thread(target=wait)
        thread.start()
        until(lambda: self.proxy.accepted >= 2, "its stream")
        self.proxy.leave()
        before = self.proxy.accepted
        until(lambda: self.proxy.accepted > before, "another try")
        job.cancel(timeout=0)
        self.proxy.come_back()
        thread.join(60)
        self.assertEqual(ended, ["CANCELLED"])


class AsyncClientTest(GatewayTest):
    def test_an_async_client_submits_reads_and_is_refused(self) -> None:
        async def main() -> None:
            async with ty.AsyncClient() as client:
                self.assertEqual((await client.viewer()).role, "ADMIN")
                project = await client.project(self.project.name)
                job = await project.submit("echo hi; printf x > fragments/x.txt", name="async")
                self.assertEqual("".join([piece.text async for piece in job.log()]), "hi\n")
                self.assertEqual((await job.wait()).status, "SUCCEEDED")
                path = await job.download("x.txt", self.path("x.txt"))
                self.assertEqual(path.read_text(), "x")
                with self.assertRaises(ty.InvalidState):
                    await job.cancel()
                bad = await project.submit("exit 4")
                with self.assertRaises(ty.JobFailed) as caught:
                    await bad.wait()
                self.assertEqual(caught.exception.exit_code, 4)
                with self.assertRaises(ty.NotFound):
                    await client.job("job_none")
                found = await client.jobs(project=self.project.id, name="async")
                self.assertEqual([each.id for each in found], [job.id])
                data = await client.execute("{ viewer { role } }")
                self.assertEqual(data, {"viewer": {"role": "ADMIN"}})

        asyncio.run(main())

    def test_requests_at_once_do_not_wait_for_each_other(self) -> None:
        async def main() -> None:
            client = ty.AsyncClient()
            found = await asyncio.gather(*(client.viewer() for _ in range(20)))
            self.assertEqual(len(found), 20)

        asyncio.run(main())

    def test_a_task_that_is_cancelled_ends_its_stream(self) -> None:
        job_id = self.project.submit(name="w", steps=[{"name": "x", "requiredLabels": [{"key": "no", "value": "one"}]}]).id

        async def main() -> None:
            job = await ty.AsyncClient().job(job_id)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(job.wait(), 0.3)
            stream = job.log()
            await stream.aclose()
            self.assertEqual([piece async for piece in stream], [])

        asyncio.run(main())


if __name__ == "__main__":
    unittest.main()
