"""Step 3: tests model.safetensors with test.digits. The result is the output of the job.

Setting: min_accuracy. Exit code: 0, or 1 if the accuracy is lower.
"""

import sys

import trainyard as ty
from digit_file import read_digits
from network import CLASSES, Network, most_likely, sparse


def main():
    with ty.init() as run:
        files = run.job.files
        tensors = {name: tensor.tolist() for name, tensor in files["model.safetensors"].tensors().items()}
        _, digits = read_digits(files["test.digits"].download("test.digits"))
        network = Network(tensors)

        confusion = [[0] * CLASSES for _ in range(CLASSES)]
        for label, pixels in digits:
            confusion[label][most_likely(network.classify(sparse(pixels)))] += 1
        accuracy = sum(confusion[label][label] for label in range(CLASSES)) / len(digits)

        print("rows: the digit as it is; columns: as it was read")
        print("     " + "".join(f"{digit:5d}" for digit in range(CLASSES)))
        for digit, row in enumerate(confusion):
            print(f"{digit:5d}" + "".join(f"{count:5d}" for count in row))

        run.log({"test_accuracy": accuracy})
        run.summary.update(test_accuracy=accuracy, test_digits=len(digits), confusion=confusion)
        wanted = run.config["min_accuracy"]
    print(f"test accuracy {accuracy:.4f} on {len(digits)} digits; at least {wanted} is required")
    return 0 if accuracy >= wanted else 1


if __name__ == "__main__":
    sys.exit(main())
