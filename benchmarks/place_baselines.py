"""What labels of places are worth without a network, with mae_finetune's splits and definitions:

    python3 benchmarks/place_baselines.py masks FOLDER SIDE    Otsu's threshold and connected parts
    python3 benchmarks/place_baselines.py points FOLDER        the mean of the training points

FOLDER is laid out as docs/labels.md says (labels/ with instances); masks are graded at SIDE x SIDE
pixels, points in pixels of the pictures. --split FILE.csv and --keypoints FILE.csv are mae_finetune's; without
a split the last fifth of the pictures in the order of their names is for tests. Needs numpy and Pillow.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

LEAST_PIXELS = 4  # of a part, as mae_finetune has it


def middle(image):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side))


def otsu(values):
    """The threshold that parts a histogram's two classes best (Otsu 1979)."""
    counts = np.bincount(values.ravel(), minlength=256).astype(float)
    below = counts.cumsum()
    sums = (counts * np.arange(256)).cumsum()
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = (sums / below - (sums[-1] - sums) / above) ** 2 * below * above
    return int(np.nanargmax(apart))


def parts(mask):
    labels = np.zeros(mask.shape, int)
    number = 0
    for start in zip(*np.nonzero(mask)):
        if labels[start]:
            continue
        number += 1
        labels[start] = number
        own, waiting = [], [start]
        while waiting:
            y, x = waiting.pop()
            own.append((y, x))
            for at in ((y, x - 1), (y, x + 1), (y - 1, x), (y + 1, x)):
                inside = 0 <= at[0] < mask.shape[0] and 0 <= at[1] < mask.shape[1]
                if inside and mask[at] and not labels[at]:
                    labels[at] = number
                    waiting.append(at)
        if len(own) < LEAST_PIXELS:
            for at in own:
                labels[at] = -1
    return np.maximum(labels, 0)


def matches(truth, found):
    """Pairs that overlap by one half (IoU) or more, and how many there are of each."""
    of_truth = {t: (truth == t).sum() for t in np.unique(truth) if t}
    of_found = {f: (found == f).sum() for f in np.unique(found) if f}
    both = truth.astype(int) * 100_000 + found
    hits = 0
    for pair, shared in zip(*np.unique(both[(truth > 0) & (found > 0)], return_counts=True)):
        t, f = pair // 100_000, pair % 100_000
        hits += 2 * shared >= of_truth[t] + of_found[f] - shared
    return hits, len(of_truth), len(of_found)


def parts_of(names, split):
    """Of sorted names which are to train on, and which to test on."""
    if split is None:
        tests = names[len(names) - len(names) // 5:]
    else:
        with open(split, newline="", encoding="utf-8") as file:
            part = {row["image"]: row["part"] for row in csv.DictReader(file)}
        names = [name for name in names if name in part]
        tests = [name for name in names if part[name] != "train"]
    return [name for name in names if name not in set(tests)], tests


def grade_masks(folder, side, split):
    names = sorted(path.name for path in (folder / "images").iterdir())
    tests = [folder / "images" / name for name in parts_of(names, split)[1]]
    totals = np.zeros(3)
    shared = either = 0
    for path in tests:
        image = middle(Image.open(path).convert("L")).resize((side, side), Image.Resampling.BICUBIC)
        labels = middle(Image.open(folder / "labels" / f"{path.stem}.png"))
        stored = np.asarray(labels)
        at = (2 * np.arange(side) + 1) * stored.shape[0] // (2 * side)
        truth = stored[at][:, at]
        values = np.asarray(image)
        mask = values > otsu(values)
        if mask.mean() > 0.5:  # stained pictures are dark on bright
            mask = ~mask
        shared += (mask & (truth > 0)).sum()
        either += (mask | (truth > 0)).sum()
        totals += matches(truth, parts(mask))
    hits, there, found = totals
    print(f"{len(tests)} test images: foreground IoU {shared / either:.4f}, "
          f"instances' F1 {2 * hits / (there + found):.4f}, AP {hits / (there + found - hits):.4f}")


def grade_points(table, split):
    with open(table, newline="", encoding="utf-8") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    trained, tests = parts_of(sorted(rows), split)
    names = [name[:-2] for name in rows[tests[0]] if name.endswith("_x")]

    def points_of(images):
        return np.array([[[float(rows[image][f"{n}_{axis}"] or "nan") for axis in "xy"] for n in names]
                         for image in images])

    truth = points_of(tests)
    error = np.linalg.norm(truth - np.nanmean(points_of(trained), 0), axis=2)
    box = (np.nanmax(truth, 1) - np.nanmin(truth, 1)).max(1)
    known = ~np.isnan(error)
    near = (error <= 0.1 * box[:, None])[known].mean()
    print(f"{len(tests)} test images: error {error[known].mean():.2f} pixels "
          f"(median {np.median(error[known]):.2f}), PCK@0.1 {near:.4f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=("masks", "points"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("side", type=int, nargs="?", default=64)
    parser.add_argument("--split")
    parser.add_argument("--keypoints")
    given = parser.parse_args()
    if given.kind == "masks":
        grade_masks(given.folder, given.side, given.split)
    else:
        grade_points(given.keypoints or given.folder / "keypoints.csv", given.split)


if __name__ == "__main__":
    main()
