#!/usr/bin/env python3
"""What options of cifar10_pretrain cost: the time of a training's step with each, over that of the step without, in
turns; prints a Markdown table.

    step_costs.py [--program build/release/examples/cifar10_pretrain] [--common "--config tiny4 --batch-size 64"]
        [--rounds 5] "two views and contrast: --contrast 0.3" "HOG: --objective hog" ...

Every option is a name, a colon and flags; `self`, without flags, is always there, and the first. A step's time is
what --dry-run says, the mean of three after one that warms up, by the clock: only on a quiet machine does it say
something. Medians over rounds, each of which takes all options in turn: ratios are of the same round. On a machine
that is slowed from outside now and then, the shortest steps of all rounds say more, and their ratio, "at best".
"""
import argparse
import re
import shlex
import statistics
import subprocess
import sys


def step_milliseconds(a, flags):
    words = [a.program, *shlex.split(a.common), *shlex.split(flags), "--dry-run"]
    done = subprocess.run(words, capture_output=True, text=True)
    found = re.search(r"([\d.]+) ms: the mean of three", done.stdout)
    if done.returncode != 0 or not found:
        sys.exit(f"failed: {shlex.join(words)}\n{done.stderr}")
    return float(found[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("options", nargs="+", metavar="NAME: FLAGS")
    parser.add_argument("--program", default="build/release/examples/cifar10_pretrain")
    parser.add_argument("--common", default="--config tiny4 --batch-size 64 --precision fp32")
    parser.add_argument("--rounds", type=int, default=5)
    a = parser.parse_args()
    options = {"self": ""}
    for option in a.options:
        name, colon, flags = option.partition(":")
        if not colon:
            parser.error(f"'{option}' is to be a name, a colon and flags")
        options[name.strip()] = flags.strip()
    taken = {name: [] for name in options}
    for _ in range(a.rounds):
        for name, flags in options.items():
            taken[name].append(step_milliseconds(a, flags))
    print("| | a step, ms | of self | lowest and highest | at best, ms | of self |\n|---|---|---|---|---|---|")
    for name, times in taken.items():
        ratios = [own / first for own, first in zip(times, taken["self"])]
        print(f"| {name} | {statistics.median(times):.0f} | {statistics.median(ratios):.2f} "
              f"| {min(ratios):.2f} to {max(ratios):.2f} "
              f"| {min(times):.0f} | {min(times) / min(taken['self']):.2f} |", flush=True)


if __name__ == "__main__":
    main()
