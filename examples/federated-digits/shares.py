"""Makes, in the current folder, what the run starts from: a share of the digits for each device, the test, the start model.

Each device has four of the ten classes, one of them far more often than another, and next to nothing of the other six.
Each class is at home on two devices, so that a round in which one device is missing has still seen all ten.
Leaves device-1.digits … device-5.digits, test.digits (of no device) and start.safetensors (random weights).
"""

import random
import sys

import learning  # noqa: F401  (so that the digits example's modules are found)
from digit_file import write_digits
from network import Network
from prepare import INSTALLED, SIDE, halved, read_images

HIDDEN = 32
SEED = 1
TEST_DIGITS = 1000

# How many of each class a device has: the classes that are at home there; of each other it has FEW.
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
