"""Step 3: tests the fragment model.safetensors with the fragment test.digits.

Setting: min_accuracy. Exit code: 0, or 1 if the accuracy is lower.
"""

import json
import sys

import trainyard_job
from digit_file import read_digits
from network import CLASSES, Network, most_likely, sparse
from tensor_file import read_tensors


def main():
    settings = trainyard_job.settings({"min_accuracy": 0.85})
    tensors, _ = read_tensors(trainyard_job.fragment("model.safetensors"))
    _, digits = read_digits(trainyard_job.fragment("test.digits"))
    network = Network(tensors)

    confusion = [[0] * CLASSES for _ in range(CLASSES)]
    for label, pixels in digits:
        confusion[label][most_likely(network.classify(sparse(pixels)))] += 1
    accuracy = sum(confusion[label][label] for label in range(CLASSES)) / len(digits)

    print("rows: the digit as it is; columns: as it was read")
    print("     " + "".join(f"{digit:5d}" for digit in range(CLASSES)))
    for digit, row in enumerate(confusion):
        print(f"{digit:5d}" + "".join(f"{count:5d}" for count in row))

    trainyard_job.metric(test_accuracy=accuracy)
    result = {"test_accuracy": accuracy, "test_digits": len(digits), "confusion": confusion}
    trainyard_job.output("evaluation.json").write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(f"test accuracy {accuracy:.4f} on {len(digits)} digits; at least {settings['min_accuracy']} is required")
    return 0 if accuracy >= settings["min_accuracy"] else 1


if __name__ == "__main__":
    sys.exit(main())
