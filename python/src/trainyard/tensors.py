"""Reads and writes safetensors files, with NumPy where it is installed, and without.

A safetensors file is the length of its header (8 bytes, little-endian), the header (JSON: dtype,
shape and byte range of each tensor, and `__metadata__`, a map of text), and the bytes of all
tensors, row by row, little-endian.
"""

from __future__ import annotations

import array
import json
import math
import os
import struct
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union, cast

ITEM_BYTES: Dict[str, int] = {
    "F64": 8,
    "F32": 4,
    "F16": 2,
    "BF16": 2,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U64": 8,
    "U32": 4,
    "U16": 2,
    "U8": 1,
    "BOOL": 1,
}
"""The bytes of one element, by dtype."""

_NUMPY = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U64": "uint64",
    "U32": "uint32",
    "U16": "uint16",
    "U8": "uint8",
    "BOOL": "bool",
}
_DTYPE = {name: dtype for dtype, name in _NUMPY.items()}
_STRUCT = {
    "F64": "d",
    "F32": "f",
    "F16": "e",
    "I64": "q",
    "I32": "i",
    "I16": "h",
    "I8": "b",
    "U64": "Q",
    "U32": "I",
    "U16": "H",
    "U8": "B",
    "BOOL": "?",
}
_MOST_HEADER = 100_000_000


class Tensor:
    """A tensor without NumPy: its dtype, its shape, and its bytes."""

    dtype: str
    """The type of its elements, as the file names it: F32, BF16, I64 …"""
    shape: Tuple[int, ...]
    """Its size in each dimension. Empty: a single number."""
    data: bytes
    """Its elements, row by row, little-endian."""

    def __init__(self, dtype: str, shape: Sequence[int], data: bytes) -> None:
        """Raises ValueError if the bytes are not as many as dtype and shape say."""
        if dtype not in ITEM_BYTES:
            raise ValueError(f"The dtype {dtype!r} is not known.")
        size = math.prod(shape) * ITEM_BYTES[dtype]
        if size != len(data):
            raise ValueError(f"{dtype} of shape {tuple(shape)} has {size} bytes, not {len(data)}.")
        self.dtype = dtype
        self.shape = tuple(shape)
        self.data = bytes(data)

    @classmethod
    def of(cls, values: Any, dtype: str = "F32") -> Tensor:
        """A tensor of a number or of nested lists. Raises ValueError if they are not even."""
        shape: List[int] = []
        level = values
        while isinstance(level, (list, tuple)):
            nested = cast("Sequence[Any]", level)
            shape.append(len(nested))
            if not nested:
                break
            level = nested[0]
        flat = list(_flatten(values, shape))
        if dtype == "BF16":
            wide = struct.pack(f"<{len(flat)}f", *flat)
            data = b"".join(_to_bf16(wide[i : i + 4]) for i in range(0, len(wide), 4))
        elif dtype in _STRUCT:
            data = struct.pack(f"<{len(flat)}{_STRUCT[dtype]}", *flat)
        else:
            raise ValueError(f"Lists cannot be written as {dtype}.")
        return cls(dtype, shape, data)

    def flat(self) -> List[Any]:
        """Its elements in one list, row by row."""
        if self.dtype == "BF16":
            wide = b"".join(b"\0\0" + self.data[i : i + 2] for i in range(0, len(self.data), 2))
            return list(struct.unpack(f"<{len(wide) // 4}f", wide))
        code = _STRUCT.get(self.dtype)
        if code is None:
            raise ValueError(f"{self.dtype} can be read with torch only.")
        return list(struct.unpack(f"<{math.prod(self.shape)}{code}", self.data))

    def tolist(self) -> Any:
        """Its elements in nested lists. A single number for an empty shape."""
        values: List[Any] = self.flat()
        if not self.shape:
            return values[0]
        for size in reversed(self.shape[1:]):
            if size == 0:
                values = []
                break
            values = [values[i : i + size] for i in range(0, len(values), size)]
        return values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor):
            return NotImplemented
        return (self.dtype, self.shape, self.data) == (other.dtype, other.shape, other.data)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Tensor {self.dtype} {list(self.shape)}>"


class Tensors(Dict[str, Any]):
    """Tensors by name, and the metadata of their file.

    A tensor is a NumPy array where NumPy is installed, else a Tensor. BF16, which NumPy lacks,
    becomes float32, exactly; F8 stays a Tensor.
    """

    metadata: Dict[str, str]
    """The map of text that the file has beside its tensors."""

    def __init__(self, tensors: Mapping[str, Any], metadata: Optional[Mapping[str, str]] = None):
        super().__init__(tensors)
        self.metadata = dict(metadata or {})


def load(path: Union[str, "os.PathLike[str]"]) -> Tensors:
    """Reads a safetensors file. Raises ValueError if it is not one."""
    return loads(Path(path).read_bytes())


def loads(content: bytes) -> Tensors:
    """Reads the content of a safetensors file. Raises ValueError if it is not one."""
    header, start = _read_header(content)
    metadata: Any = header.pop("__metadata__", {})
    body = memoryview(content)[start:]
    entries = sorted(((name, _entry(name, each)) for name, each in header.items()), key=_offset)
    tensors: Dict[str, Any] = {}
    end = 0
    for name, (dtype, shape, first, last) in entries:
        if first != end or last > len(body):
            raise ValueError(f"The bytes of {name!r} are not where its header says.")
        end = last
        try:
            tensors[name] = _to_array(Tensor(dtype, shape, bytes(body[first:last])))
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from error
    if end != len(body):
        raise ValueError(f"The file has {len(body) - end} bytes that belong to no tensor.")
    # In the order of the header, which is that of the writer.
    return Tensors({name: tensors[name] for name in header}, metadata)


def save(
    path: Union[str, "os.PathLike[str]"],
    tensors: Mapping[str, Any],
    metadata: Optional[Mapping[str, str]] = None,
) -> None:
    """Writes a safetensors file. A file that exists is replaced whole, or not at all."""
    target = Path(path)
    part = target.with_name(target.name + ".part")
    part.write_bytes(dumps(tensors, metadata))
    os.replace(part, target)


def dumps(tensors: Mapping[str, Any], metadata: Optional[Mapping[str, str]] = None) -> bytes:
    """The content of a safetensors file.

    A tensor is a Tensor, an array of NumPy or torch, an array.array, or nested lists of numbers
    (written as F32). metadata: text by text; default: that of the Tensors that were read.
    Raises TypeError for anything else.
    """
    if metadata is None and isinstance(tensors, Tensors):
        metadata = tensors.metadata
    header: Dict[str, Any] = {}
    if metadata:
        header["__metadata__"] = {str(key): str(value) for key, value in metadata.items()}
    pieces: List[bytes] = []
    size = 0
    for name, value in tensors.items():
        tensor = _to_tensor(name, value)
        pieces.append(tensor.data)
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [size, size + len(tensor.data)],
        }
        size += len(tensor.data)
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)  # Aligned, so that a reader can map the tensors.
    return b"".join([struct.pack("<Q", len(text)), text, *pieces])


def _read_header(content: bytes) -> Tuple[Dict[str, Any], int]:
    if len(content) < 8:
        raise ValueError("This is no safetensors file: it is too short.")
    (length,) = struct.unpack_from("<Q", content)
    if length > min(_MOST_HEADER, len(content) - 8):
        raise ValueError("This is no safetensors file: its header does not fit in it.")

    def unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise ValueError("A name is twice in the header.")
        return found

    try:
        header: Any = json.loads(content[8 : 8 + length], object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"This is no safetensors file: {error}") from error
    if not isinstance(header, dict):
        raise ValueError("This is no safetensors file: its header is no object.")
    return cast("Dict[str, Any]", header), 8 + length


Entry = Tuple[str, List[int], int, int]


def _entry(name: str, entry: Any) -> Entry:
    try:
        first, last = entry["data_offsets"]
        dtype, shape = entry["dtype"], list(entry["shape"])
        whole = all(type(each) is int and each >= 0 for each in [*shape, first, last])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{name!r} has no proper dtype, shape and data_offsets.") from error
    if not isinstance(dtype, str) or not whole or last < first:
        raise ValueError(f"{name!r} has no proper dtype, shape and data_offsets.")
    return dtype, shape, first, last


def _offset(entry: Tuple[str, Entry]) -> Tuple[int, int]:
    return entry[1][2], entry[1][3]


def _numpy() -> Any:
    try:
        import numpy  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    return numpy


def _to_array(tensor: Tensor) -> Any:
    numpy = _numpy()
    if numpy is None:
        return tensor
    if tensor.dtype == "BF16":
        narrow = numpy.frombuffer(tensor.data, dtype="<u2").astype("uint32")
        return (narrow << 16).view("float32").reshape(tensor.shape)
    if tensor.dtype not in _NUMPY:
        return tensor
    kind = numpy.dtype(_NUMPY[tensor.dtype]).newbyteorder("<")
    # A copy, so that it can be changed, in the machine's own byte order.
    return numpy.frombuffer(tensor.data, dtype=kind).reshape(tensor.shape).astype(kind.newbyteorder("="))


def _to_tensor(name: str, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, array.array):
        numbers = cast("array.array[Any]", value)
        dtype = _ARRAY_BY_SIZE.get((numbers.typecode.lower() in "fd", numbers.itemsize))
        if dtype is None:
            raise TypeError(f"{name!r} is an array of {numbers.typecode!r}.")
        if numbers.typecode.isupper():
            dtype = dtype.replace("I", "U")
        swapped = array.array(numbers.typecode, numbers)
        if sys.byteorder == "big":
            swapped.byteswap()
        return Tensor(dtype, [len(numbers)], swapped.tobytes())
    if isinstance(value, (list, tuple, int, float)):
        return Tensor.of(value)
    if hasattr(value, "detach"):
        return _of_torch(name, value)
    if hasattr(value, "dtype") and hasattr(value, "tobytes"):
        dtype = _DTYPE.get(value.dtype.name)
        if dtype is None:
            raise TypeError(f"{name!r} has the dtype {value.dtype}, which safetensors lacks.")
        little = value.astype(value.dtype.newbyteorder("<"))
        return Tensor(dtype, value.shape, little.tobytes())
    raise TypeError(f"{name!r} is a {type(value).__name__}, not a tensor.")


_ARRAY_BY_SIZE = {
    (True, 4): "F32",
    (True, 8): "F64",
    (False, 1): "I8",
    (False, 2): "I16",
    (False, 4): "I32",
    (False, 8): "I64",
}


def _of_torch(name: str, value: Any) -> Tensor:
    import torch  # pyright: ignore[reportMissingImports]

    library: Any = torch  # pyright: ignore[reportUnknownVariableType]
    plain = value.detach().cpu().contiguous()
    if plain.dtype == library.bfloat16:
        bits = plain.view(library.int16).numpy()
        return Tensor("BF16", tuple(plain.shape), bits.astype("<i2").tobytes())
    return _to_tensor(name, plain.numpy())


def _to_bf16(wide: bytes) -> bytes:
    """The nearest BF16 of a little-endian F32: its upper half, rounded to even."""
    (bits,) = struct.unpack("<I", wide)
    if bits & 0x7FFFFFFF > 0x7F800000:
        return struct.pack("<H", (bits >> 16) | 0x40)  # NaN
    return struct.pack("<H", ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) & 0xFFFF)


def _flatten(values: Any, shape: Sequence[int]) -> Iterator[Any]:
    if not shape:
        if isinstance(values, (list, tuple)):
            raise ValueError("The lists are not of equal length.")
        yield values
        return
    if not isinstance(values, (list, tuple)):
        raise ValueError("The lists are not of equal length.")
    nested = cast("Sequence[Any]", values)
    if len(nested) != shape[0]:
        raise ValueError("The lists are not of equal length.")
    for each in nested:
        yield from _flatten(each, shape[1:])
