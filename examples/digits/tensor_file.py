"""Reads and writes matrices of 32-bit floats as safetensors.

A safetensors file is the length of its header (8 bytes, little-endian), the header (JSON: dtype,
shape and byte range of each tensor, and `__metadata__`, a map of text) and the bytes of all
tensors, row by row.
"""

import json
import struct


def write_tensors(path, tensors, metadata):
    """`tensors`: name → a list of numbers, or of rows of equal length. `metadata`: text → text."""
    header, data = {"__metadata__": metadata}, bytearray()
    for name, values in tensors.items():
        is_matrix = isinstance(values[0], list)
        flat = [value for row in values for value in row] if is_matrix else values
        start = len(data)
        data += struct.pack(f"<{len(flat)}f", *flat)
        shape = [len(values), len(values[0])] if is_matrix else [len(values)]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header, separators=(",", ":"), sort_keys=True).encode("utf-8")
    text += b" " * (-len(text) % 8)  # aligned, so that a reader can map the tensors
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def read_tensors(path):
    """Returns tensors and metadata in the form of write_tensors.

    Raises ValueError for another dtype or rank.
    """
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        shape = entry["shape"]
        if entry["dtype"] != "F32" or len(shape) not in (1, 2):
            raise ValueError(f"{name} is {entry['dtype']} of shape {shape}; only F32 lists and matrices are read")
        start, end = entry["data_offsets"]
        flat = list(struct.unpack(f"<{(end - start) // 4}f", content[8 + length + start : 8 + length + end]))
        width = shape[-1]
        tensors[name] = flat if len(shape) == 1 else [flat[row : row + width] for row in range(0, len(flat), width)]
    return tensors, metadata
