"""The outbox: order, what is left by an ended process, and its bounds."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any, List

import support

from trainyard._outbox import FolderInUse, Limits, Outbox

SMALL = Limits(segment_bytes=200, batch_entries=7)

KILLED = """
import os, sys
from pathlib import Path
from trainyard._outbox import Limits, Outbox
outbox = Outbox(Path(sys.argv[1]), Limits(segment_bytes=200))
for i in range(50):
    outbox.put({"i": i})
outbox.flush(60)
outbox.drop(outbox.peek(3))
os.kill(os.getpid(), 9)
"""


class OutboxTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "outbox"

    def open(self, limits: Limits = SMALL) -> Outbox:
        outbox = Outbox(self.folder, limits)
        self.addCleanup(outbox.close)
        return outbox

    def read_all(self, outbox: Outbox) -> List[Any]:
        found: List[Any] = []
        while True:
            batch = outbox.peek(timeout=60)
            if batch is None:
                return found
            found += [entry["i"] for entry in batch.entries]
            outbox.drop(batch)

    def test_entries_come_out_in_order_and_once_over_many_files(self) -> None:
        outbox = self.open()
        for i in range(1000):
            outbox.put({"i": i})
        outbox.end()
        self.assertEqual(self.read_all(outbox), list(range(1000)))
        self.assertTrue(outbox.is_empty)
        self.assertLessEqual(len(list(self.folder.glob("*.jsonl"))), 1)

    def test_a_batch_that_is_not_dropped_comes_again(self) -> None:
        outbox = self.open()
        for i in range(10):
            outbox.put({"i": i})
        outbox.flush(60)
        first = outbox.peek()
        self.assertEqual(outbox.peek(), first)
        outbox.close()
        again = self.open().peek()
        assert first is not None and again is not None
        self.assertEqual(again.entries, first.entries)

    def test_what_a_killed_process_left_is_delivered_by_the_next(self) -> None:
        command = [sys.executable, "-c", KILLED, str(self.folder)]
        environment = {"PYTHONPATH": str(Path(support.__file__).parent.parent / "src")}
        self.assertEqual(subprocess.run(command, env=environment).returncode, -9)
        newest = max(self.folder.glob("*.jsonl"), key=lambda path: int(path.stem))
        with open(newest, "ab") as file:
            file.write(b'{"i": 5')  # It was killed while it wrote a line.
        outbox = self.open()
        outbox.put({"i": 50})
        outbox.end()
        self.assertEqual(self.read_all(outbox), list(range(3, 51)))

    def test_a_folder_that_is_in_use_is_refused(self) -> None:
        self.open()
        with self.assertRaises(FolderInUse):
            Outbox(self.folder)

    def test_entries_beyond_its_bounds_are_dropped_and_counted(self) -> None:
        outbox = self.open(Limits(total_bytes=1000, segment_bytes=200))
        taken = 0
        while outbox.put({"i": taken}):
            taken += 1
            outbox.flush(60)
        self.assertGreater(taken, 50)
        self.assertEqual((outbox.take_dropped(), outbox.take_dropped()), (1, 0))
        batch = outbox.peek()
        assert batch is not None
        outbox.drop(batch)
        self.assertTrue(outbox.put({"i": taken}))  # There is room again.
        outbox.end()
        first = len(batch.entries)
        self.assertEqual(self.read_all(outbox), list(range(first, taken + 1)))

    def test_it_is_readable_by_its_user_only(self) -> None:
        outbox = self.open()
        outbox.put({"i": 1})
        outbox.flush(60)
        for path in [self.folder, *self.folder.glob("*.jsonl")]:
            self.assertEqual(path.stat().st_mode & 0o077, 0, path)


if __name__ == "__main__":
    unittest.main()
