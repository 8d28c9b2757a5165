#!/usr/bin/env python3
"""Figures of timm's random erasing and cutmix that erasing_test.cpp and mixing_test.cpp expect.

Needs timm 1.0.31. Draws 200,000 times each; prints means and standard deviations.
"""

import random

import numpy as np
import torch
from timm.data.mixup import cutmix_bbox_and_lam
from timm.data.random_erasing import RandomErasing

DRAWS = 200_000


def erasing(height, width):
    """Of boxes of an image: how often there is one, their share of the area, log(height / width)."""
    erase = RandomErasing(probability=1.0, mode="const", device="cpu")
    shares, ratios = [], []
    for _ in range(DRAWS):
        image = torch.ones(1, height, width)
        erase(image)
        rows = (image[0] == 0).any(1).sum().item()
        columns = (image[0] == 0).any(0).sum().item()
        if rows:
            shares.append(rows * columns / (height * width))
            ratios.append(np.log(rows / columns))
    print("erasing", height, width, len(shares) / DRAWS, np.mean(shares), np.std(shares),
          np.mean(ratios), np.std(ratios))


def cutmix(height, width):
    """The share that an image keeps, of its real area, for lambda uniform."""
    kept = [cutmix_bbox_and_lam((height, width), np.random.beta(1.0, 1.0))[1]
            for _ in range(DRAWS)]
    print("cutmix", height, width, np.mean(kept), np.std(kept))


if __name__ == "__main__":
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    torch.set_num_threads(1)
    erasing(32, 32)
    erasing(20, 40)
    cutmix(32, 32)
    cutmix(20, 40)
