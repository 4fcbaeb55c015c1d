"""A classifier with one hidden layer, trained by minibatch gradient descent, in plain Python.

An image is a sparse list of (pixel, brightness 0 to 1) without black pixels. Most pixels are black,
so most of the first layer's work is skipped.
"""

import math
import random

CLASSES = 10


def sparse(pixels):
    """Converts an image's bytes to the network's input."""
    return [(index, value / 255) for index, value in enumerate(pixels) if value]


class Network:
    """hidden = relu(image · hidden_weight + hidden_bias)
    scores = hidden · output_weight + output_bias
    """

    def __init__(self, tensors):
        self.hidden_weight = tensors["hidden.weight"]  # one row per pixel
        self.hidden_bias = tensors["hidden.bias"]
        self.output_weight = tensors["output.weight"]  # one row per hidden unit
        self.output_bias = tensors["output.bias"]

    @classmethod
    def fresh(cls, pixels, hidden, seed):
        """Random weights (He initialization for relu) and zero biases."""
        normal = random.Random(seed).gauss

        def matrix(rows, columns):
            spread = math.sqrt(2 / rows)
            return [[normal(0, spread) for _ in range(columns)] for _ in range(rows)]

        weights = {"hidden.weight": matrix(pixels, hidden), "output.weight": matrix(hidden, CLASSES)}
        return cls({**weights, "hidden.bias": [0.0] * hidden, "output.bias": [0.0] * CLASSES})

    def tensors(self):
        return {
            "hidden.weight": self.hidden_weight,
            "hidden.bias": self.hidden_bias,
            "output.weight": self.output_weight,
            "output.bias": self.output_bias,
        }

    def classify(self, image):
        """The probability of each class."""
        return self._forward(image)[1]

    def learn(self, batch, learning_rate):
        """Takes one step along the mean gradient of cross-entropy over (label, image) pairs.

        Returns the sum of their losses and the number classified correctly before the step.
        """
        loss, correct = 0.0, 0
        hidden_gradient, hidden_bias_gradient = {}, [0.0] * len(self.hidden_bias)
        output_gradient, output_bias_gradient = [[0.0] * CLASSES for _ in self.output_weight], [0.0] * CLASSES
        for label, image in batch:
            hidden, probabilities = self._forward(image)
            loss -= math.log(max(probabilities[label], 1e-12))
            correct += most_likely(probabilities) == label
            error = probabilities
            error[label] -= 1
            output_bias_gradient = _added(output_bias_gradient, error, 1)
            hidden_error = [0.0] * len(hidden)
            for unit, value in enumerate(hidden):
                if value > 0:
                    output_gradient[unit] = _added(output_gradient[unit], error, value)
                    hidden_error[unit] = sum(weight * e for weight, e in zip(self.output_weight[unit], error))
            hidden_bias_gradient = _added(hidden_bias_gradient, hidden_error, 1)
            for pixel, value in image:
                row = hidden_gradient.get(pixel)
                hidden_gradient[pixel] = _added(row, hidden_error, value) if row else [value * e for e in hidden_error]
        step = -learning_rate / len(batch)
        for pixel, gradient in hidden_gradient.items():
            self.hidden_weight[pixel] = _added(self.hidden_weight[pixel], gradient, step)
        self.output_weight = [_added(row, gradient, step) for row, gradient in zip(self.output_weight, output_gradient)]
        self.hidden_bias = _added(self.hidden_bias, hidden_bias_gradient, step)
        self.output_bias = _added(self.output_bias, output_bias_gradient, step)
        return loss, correct

    def _forward(self, image):
        hidden = self.hidden_bias
        for pixel, value in image:
            hidden = _added(hidden, self.hidden_weight[pixel], value)
        hidden = [value if value > 0 else 0.0 for value in hidden]
        scores = self.output_bias
        for unit, value in enumerate(hidden):
            if value:
                scores = _added(scores, self.output_weight[unit], value)
        highest = max(scores)  # subtracted so that exp cannot overflow
        powers = [math.exp(score - highest) for score in scores]
        total = sum(powers)
        return hidden, [power / total for power in powers]


def most_likely(probabilities):
    return max(range(CLASSES), key=probabilities.__getitem__)


def _added(row, other, factor):
    return [a + factor * b for a, b in zip(row, other)]
