"""Labelled images in one small binary file.

Eight bytes of header (magic `DGT1`, then the side length and a zero as little-endian 16-bit
numbers), then one record per digit: its label (one byte) and its pixels (side × side bytes, row by
row, 0 black to 255 white).
"""

import struct

HEADER = struct.Struct("<4sHH")
MAGIC = b"DGT1"


def write_digits(path, side, digits):
    """Writes (label, pixels) pairs; `pixels` has side × side bytes."""
    with open(path, "wb") as file:
        file.write(HEADER.pack(MAGIC, side, 0))
        for label, pixels in digits:
            file.write(bytes([label]) + pixels)


def read_digits(path):
    """Returns the side length and the (label, pixels) pairs.

    Raises ValueError if the file has another format or is truncated.
    """
    with open(path, "rb") as file:
        content = file.read()
    if len(content) < HEADER.size or content[:4] != MAGIC:
        raise ValueError(f"{path} is not a file of digits")
    _, side, _ = HEADER.unpack_from(content)
    record = 1 + side * side
    if (len(content) - HEADER.size) % record:
        raise ValueError(f"{path} is cut short")
    starts = range(HEADER.size, len(content), record)
    return side, [(content[start], content[start + 1 : start + record]) for start in starts]
