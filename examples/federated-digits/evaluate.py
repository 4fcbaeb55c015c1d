"""Measures how well models read the test digits.

    evaluate.py TEST MODEL …

Prints the accuracy of each model, in order, as one JSON list.
"""

import json
import sys

from learning import accuracy_on, read_network, read_samples


def main(test, *models):
    samples = read_samples(test)
    print(json.dumps([accuracy_on(read_network(model), samples) for model in models]))


if __name__ == "__main__":
    main(*sys.argv[1:])
