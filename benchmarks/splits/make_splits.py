"""Writes the splits beside this file, which figures of small real sets use (mae_finetune --split):

    python3 benchmarks/splits/make_splits.py DATA

DATA holds the sets' folders. A split by chance would put frames of one recording, or fields of one
experiment, on both sides, and flatter. Each rule below says what was kept apart instead. Needs numpy and
Pillow for nuclei_dsb2018 alone.
"""

import csv
import sys
from pathlib import Path


def names_in(folder):
    return sorted(path.name for path in (folder / "images").iterdir())


def tests_at_the_end(names, tests):
    return {name: "test" if number >= len(names) - tests else "train" for number, name in enumerate(names)}


def openfield_mouse(folder):
    """One recording, whose frames are numbered in time: the last 24 are tests."""
    return tests_at_the_end(names_in(folder), 24)


def fly_deepposekit(folder):
    """Ten frames of each of ten recordings (from one ten to the next pictures change two to five times as
    much as within one): the last two recordings are tests."""
    return tests_at_the_end(names_in(folder), 20)


def wing_landmarks(folder):
    """Specimens are numbered in the order of their pictures; nothing else is known of them: the last 12 are
    tests."""
    return tests_at_the_end(names_in(folder), 12)


def nuclei_dsb2018(folder):
    """What the set says of its experiments is lost. Its fluorescence pictures have two kinds of background:
    black (the darkest twentieth of the pixels up to 5) and of a camera's offset (10 to 14). All of the
    second kind are tests; the stained pictures, whose background is bright, are trained on."""
    import numpy
    from PIL import Image

    parts = {}
    for name in names_in(folder):
        background = numpy.percentile(numpy.asarray(Image.open(folder / "images" / name).convert("L")), 5)
        parts[name] = "test" if 10 <= background < 20 else "train"
    return parts


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for rule in (openfield_mouse, fly_deepposekit, wing_landmarks, nuclei_dsb2018):
        folder = Path(sys.argv[1]) / rule.__name__
        if not folder.is_dir():
            print(f"{folder} is not there: left as it is")
            continue
        parts = rule(folder)
        with open(Path(__file__).with_name(f"{rule.__name__}.csv"), "w", newline="", encoding="utf-8") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("image", "part"))
            table.writerows(sorted(parts.items()))
        counts = [sum(part == wanted for part in parts.values()) for wanted in ("train", "test")]
        print(f"{rule.__name__}: {counts[0]} to train on, {counts[1]} tests")


if __name__ == "__main__":
    main()
