"""A PyTorch training loop as a beginner writes it: torch_loop.py EPOCHS, one image a step.

Two 5x5 convolutions on the digits enlarged to 28x28, stochastic gradient descent. Prints, for
every epoch, the seconds since the program began to train and the accuracy on the test digits.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import torch
from PIL import Image
from torch import nn

from model_build.recipes.digits.dataset import digit_images, load_digits

SIDE = 28


def main() -> None:
    """Train and print."""
    digits = load_digits()
    enlarged = [
        np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        for image in digit_images()[0]
    ]
    images = torch.tensor(np.stack(enlarged)[:, None] / np.float32(255))
    labels = torch.tensor(digits.labels)
    training = np.concatenate([digits.train, digits.validation])
    torch.set_num_threads(1)  # more are slower, for steps this small
    torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 10, 5), nn.MaxPool2d(2), nn.ReLU()),
        *(nn.Conv2d(10, 20, 5), nn.Dropout2d(), nn.MaxPool2d(2), nn.ReLU(), nn.Flatten()),
        *(nn.Linear(320, 50), nn.ReLU(), nn.Dropout(), nn.Linear(50, 10)),
    )
    descent = torch.optim.SGD(network.parameters(), lr=0.01)
    start = time.perf_counter()
    for epoch in range(1, int(sys.argv[1]) + 1):
        network.train()
        for i in np.random.default_rng(epoch).permutation(training):
            descent.zero_grad()
            nn.functional.cross_entropy(network(images[i : i + 1]), labels[i : i + 1]).backward()
            descent.step()
        network.eval()
        with torch.no_grad():
            right = network(images[digits.test]).argmax(dim=1) == labels[digits.test]
        print(epoch, time.perf_counter() - start, right.float().mean().item(), flush=True)


if __name__ == "__main__":
    main()
