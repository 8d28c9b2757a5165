"""Prints the numbers of resize_test.cpp, as PIL makes them, and those of augment_test.cpp, by
torchvision's RandomResizedCrop.get_params restated: python3 augment_fixtures.py (pillow, numpy)."""

import math

import numpy
from PIL import Image

CASES = [  # source height, width; crop top, left, height, width; result height, width
    ((7, 9), (1, 2, 5, 6), (8, 10)),
    ((7, 9), (0, 0, 7, 9), (7, 9)),
    ((7, 9), (3, 4, 1, 2), (6, 5)),
    ((13, 11), (0, 0, 13, 11), (5, 4)),
    ((13, 11), (2, 1, 11, 3), (4, 9)),
]


def value(y, x):
    return (37 * (7 * y + 13 * x) % 101) / 100


def print_resized():
    for (height, width), (top, left, rows, columns), (out_height, out_width) in CASES:
        image = Image.new("F", (width, height))
        image.putdata([value(y, x) for y in range(height) for x in range(width)])
        crop = image.crop((left, top, left + columns, top + rows))
        for kind, method in (("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC)):
            result = list(crop.resize((out_width, out_height), method).getdata())
            count = len(result)
            picked = [result[i * (count - 1) // 5] for i in range(6)]
            print(
                f"{{{{{height}, {width}, 1}}, {{{top}, {left}, {rows}, {columns}}}, "
                f"{{{out_height}, {out_width}, 1}}, interpolation::{kind}, "
                f"{{{', '.join(f'{v:.7f}F' for v in picked)}}}}},"
            )


def crop_size(random, height, width, least):
    for _ in range(10):
        area = height * width * random.uniform(least, 1)
        aspect = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        crop_width = round(math.sqrt(area * aspect))
        crop_height = round(math.sqrt(area / aspect))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            return crop_height, crop_width
    return height, width


def print_crops():
    random = numpy.random.default_rng(0)
    sizes = numpy.array([crop_size(random, 400, 400, 0.2) for _ in range(200_000)])
    areas = sizes.prod(axis=1) / 160_000
    ratios = numpy.log(sizes[:, 1] / sizes[:, 0])
    print(f"area {areas.mean():.4f} +- {areas.std():.4f}, log ratio +- {ratios.std():.4f}")


print_resized()
print_crops()
