"""Trains and judges one network. Network and file formats are those of the digits example."""

import random
import sys
from pathlib import Path

DIGITS_EXAMPLE = Path(__file__).resolve().parents[1] / "digits"
sys.path.append(str(DIGITS_EXAMPLE))

import trainyard as ty  # noqa: E402
from digit_file import read_digits  # noqa: E402
from network import Network, most_likely, sparse  # noqa: E402

EPOCHS = 2
LEARNING_RATE = 0.2
BATCH_SIZE = 10


def read_samples(path):
    """The (label, image) pairs of a file of digits, with images in the network's form."""
    return [(label, sparse(pixels)) for label, pixels in read_digits(path)[1]]


def network_of(tensors):
    """The network of tensors as ty.tensors reads them: arrays where NumPy is installed."""
    return Network({name: tensor.tolist() for name, tensor in tensors.items()})


def read_network(path):
    return network_of(ty.tensors.load(path))


def write_network(path, network, **metadata):
    ty.tensors.save(path, network.tensors(), {"format": "trainyard-digits", **{name: str(value) for name, value in metadata.items()}})


def train(network, samples, round_number):
    """One round of training: EPOCHS passes over the samples, shuffled by the round's number.

    Yields the mean loss so far after each batch, so that the caller can act in between.
    """
    shuffle = random.Random(round_number).shuffle
    samples = list(samples)
    loss, seen = 0.0, 0
    for _ in range(EPOCHS):
        shuffle(samples)
        for start in range(0, len(samples), BATCH_SIZE):
            batch = samples[start : start + BATCH_SIZE]
            loss += network.learn(batch, LEARNING_RATE)[0]
            seen += len(batch)
            yield loss / seen


def accuracy_on(network, samples):
    """The share of the samples that the network reads correctly."""
    return sum(most_likely(network.classify(image)) == label for label, image in samples) / len(samples)
