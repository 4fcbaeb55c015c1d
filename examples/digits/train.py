"""Step 2: trains a small network on the file train.digits and stores model.safetensors.

Settings: epochs, learning_rate, hidden (units of the hidden layer), batch_size, seed, and
train_digits (the most to use). A tenth of the digits is kept out of training, to measure the
accuracy on unseen digits.
"""

import random
import time

import trainyard as ty
from digit_file import read_digits
from network import Network, most_likely, sparse


def main():
    with ty.init() as run:
        settings = run.config
        side, digits = read_digits(run.job.files["train.digits"].download("train.digits"))
        samples = [(label, sparse(pixels)) for label, pixels in digits[: settings["train_digits"]]]
        held_out, samples = samples[: len(samples) // 10], samples[len(samples) // 10 :]
        print(f"{len(samples)} digits to learn from, {len(held_out)} held out; settings {settings}", flush=True)

        network = Network.fresh(side * side, settings["hidden"], settings["seed"])
        shuffle = random.Random(settings["seed"]).shuffle
        started = time.monotonic()
        for epoch in range(1, settings["epochs"] + 1):
            shuffle(samples)
            loss, accuracy = train_epoch(network, samples, settings)
            seen = accuracy_on(network, held_out)
            run.log({"loss": loss, "accuracy": accuracy, "held_out_accuracy": seen}, step=epoch)
            print(
                f"epoch {epoch}/{settings['epochs']}: loss {loss:.4f}, accuracy {accuracy:.4f}, "
                f"held out {seen:.4f}, {time.monotonic() - started:.1f} s",
                flush=True,
            )

        metadata = {"format": "trainyard-digits", **{name: str(value) for name, value in settings.items()}}
        ty.tensors.save("model.safetensors", network.tensors(), metadata)
        run.save("model.safetensors", type="MODEL")


def train_epoch(network, samples, settings):
    """Trains once on every sample.

    Returns mean loss and accuracy, where each sample is judged just before it is trained on.
    """
    size = settings["batch_size"]
    batches = [samples[start : start + size] for start in range(0, len(samples), size)]
    loss, correct, seen = 0.0, 0, 0
    for number, batch in enumerate(batches, start=1):
        batch_loss, batch_correct = network.learn(batch, settings["learning_rate"])
        loss, correct, seen = loss + batch_loss, correct + batch_correct, seen + len(batch)
        if number % 100 == 0:
            print(f"  batch {number}/{len(batches)}: loss {loss / seen:.4f}", flush=True)
    return loss / seen, correct / seen


def accuracy_on(network, samples):
    return sum(most_likely(network.classify(image)) == label for label, image in samples) / len(samples)


if __name__ == "__main__":
    main()
