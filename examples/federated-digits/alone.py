"""Trains on one device's share alone: same start, same training, same rounds, without a gateway.

    alone.py SHARE TEST START ROUNDS

Prints the test accuracy after each round, as JSON: {"round": 1, "accuracy": 0.42}.
"""

import json
import sys

from learning import accuracy_on, read_network, read_samples, train


def main(share, test, start, rounds):
    network, samples, test_samples = read_network(start), read_samples(share), read_samples(test)
    for number in range(1, int(rounds) + 1):
        for _ in train(network, samples, number):
            pass
        print(json.dumps({"round": number, "accuracy": accuracy_on(network, test_samples)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
