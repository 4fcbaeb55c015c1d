"""Safetensors files: what is written is read, and what is broken is refused."""

from __future__ import annotations

import array
import json
import math
import struct
import tempfile
import unittest
from pathlib import Path
from typing import Any, Dict
from unittest import mock

import support  # noqa: F401

from trainyard import tensors
from trainyard.tensors import Tensor, Tensors

try:
    import numpy  # pyright: ignore[reportMissingImports]
except ImportError:
    numpy = None


def without_numpy() -> Any:
    return mock.patch.object(tensors, "_numpy", lambda: None)


def content(header: Any, body: bytes = b"") -> bytes:
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    return struct.pack("<Q", len(text)) + text + body


class TensorsTest(unittest.TestCase):
    def test_tensors_without_numpy_are_read_as_they_were_written(self) -> None:
        given: Dict[str, Any] = {
            "matrix": [[1.0, 2.5], [3.0, -4.0]],
            "scalar": 7.0,
            "empty": Tensor("F32", [0, 3], b""),
            "ints": Tensor.of([1, -2, 2**62], "I64"),
            "flags": Tensor.of([[True], [False]], "BOOL"),
            "half": Tensor.of([0.5, 65504.0], "F16"),
            "brain": Tensor.of([1.0, -2.0, 3.140625, math.inf], "BF16"),
            "array": array.array("d", [1.5, 2.5]),
            "unsigned": array.array("B", [1, 255]),
        }
        with without_numpy():
            found = tensors.loads(tensors.dumps(given, {"format": "ü"}))
        self.assertEqual(list(found), list(given))
        self.assertEqual(found.metadata, {"format": "ü"})
        self.assertEqual(found["matrix"].tolist(), given["matrix"])
        self.assertEqual(found["scalar"].tolist(), 7.0)
        self.assertEqual((found["empty"].shape, found["empty"].tolist()), ((0, 3), []))
        self.assertEqual(found["ints"].tolist(), [1, -2, 2**62])
        self.assertEqual(found["flags"].tolist(), [[True], [False]])
        self.assertEqual(found["half"].tolist(), [0.5, 65504.0])
        self.assertEqual(found["brain"].tolist(), [1.0, -2.0, 3.140625, math.inf])
        self.assertEqual((found["array"].dtype, found["array"].tolist()), ("F64", [1.5, 2.5]))
        self.assertEqual((found["unsigned"].dtype, found["unsigned"].tolist()), ("U8", [1, 255]))

    def test_tensors_that_are_written_again_give_the_same_bytes(self) -> None:
        first = tensors.dumps({"b": [1.0], "a": [[2.0]]}, {"k": "v"})
        self.assertEqual(tensors.dumps(tensors.loads(first)), first)
        with without_numpy():
            self.assertEqual(tensors.dumps(tensors.loads(first)), first)
        (length,) = struct.unpack_from("<Q", first)
        self.assertEqual(length % 8, 0)

    def test_a_file_is_replaced_whole(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.safetensors"
            tensors.save(path, {"w": [1.0]})
            with self.assertRaises(TypeError):
                tensors.save(path, {"w": "text"})
            self.assertEqual(list(tensors.load(path)), ["w"])

    @unittest.skipIf(numpy is None, "NumPy is not installed")
    def test_tensors_become_numpy_arrays(self) -> None:
        assert numpy is not None
        library: Any = numpy
        kinds = ["float64", "float32", "float16", "int64", "int8", "uint16", "bool"]
        given = {kind: library.arange(6).reshape(2, 3).astype(kind) for kind in kinds}
        given["transposed"] = library.arange(6, dtype="float32").reshape(2, 3).T
        given["big-endian"] = library.arange(3, dtype=">f4")
        found = tensors.loads(tensors.dumps(given))
        for name, value in given.items():
            self.assertTrue(library.array_equal(found[name], value), name)
        found["float32"] += 1  # It can be changed.
        brain = tensors.loads(tensors.dumps({"x": Tensor.of([[1.0, -0.5]], "BF16")}))["x"]
        self.assertEqual((str(brain.dtype), brain.tolist()), ("float32", [[1.0, -0.5]]))

    def test_broken_files_are_refused(self) -> None:
        f32 = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
        broken = {
            "too short": b"1234567",
            "header longer than the file": struct.pack("<Q", 2**63) + b"{}",
            "no JSON": content(b"{"),
            "no object": content([]),
            "deeply nested": content(b"[" * 200_000),
            "a name twice": content(b'{"a": 1, "a": 2}'),
            "no entry": content({"a": None}),
            "no offsets": content({"a": {"dtype": "F32", "shape": [1]}}),
            "unknown dtype": content({"a": {**f32, "dtype": "X"}}, b"1234"),
            "wrong size": content({"a": {**f32, "shape": [2]}}, b"1234"),
            "negative shape": content({"a": {**f32, "shape": [-1]}}, b"1234"),
            "huge shape": content({"a": {**f32, "shape": [2**40, 2**40]}}, b"1234"),
            "a text as shape": content({"a": {**f32, "shape": "1"}}, b"1234"),
            "beyond the end": content({"a": {**f32, "data_offsets": [0, 8], "shape": [2]}}, b"1234"),
            "a gap": content({"a": {**f32, "data_offsets": [4, 8]}}, b"12345678"),
            "overlapping": content({"a": f32, "b": f32}, b"1234"),
            "bytes of no tensor": content({"a": f32}, b"12345"),
        }
        for name, each in broken.items():
            with self.subTest(name), self.assertRaises(ValueError):
                tensors.loads(each)

    def test_uneven_lists_are_refused(self) -> None:
        for uneven in ([[1.0], [2.0, 3.0]], [[1.0], 2.0], [1.0, [2.0]]):
            with self.assertRaises(ValueError):
                Tensor.of(uneven)

    def test_the_metadata_of_what_was_read_is_kept_unless_another_is_given(self) -> None:
        read = Tensors({"w": [1.0]}, {"round": "1"})
        self.assertEqual(tensors.loads(tensors.dumps(read)).metadata, {"round": "1"})
        self.assertEqual(tensors.loads(tensors.dumps(read, {})).metadata, {})


if __name__ == "__main__":
    unittest.main()
