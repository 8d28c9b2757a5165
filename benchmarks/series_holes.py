#!/usr/bin/env python3
"""Grades what mae_forecast fills and finds in a series, and prints two Markdown tables.

    series_holes.py ETTh1.csv [--program build/release/examples/tools/mae_forecast] [--column OT] [--rows 5760]
        [--steps 1000] [--what holes|anomalies]... [--shares 0.125 0.25 0.375 0.5] [--seed 0]

holes: 12.5 to 50 percent of the values are hidden one by one, and as many in runs of 12 or more (those that meet
are one), and filled by a model that is trained on what is left, by linear interpolation, and by the season: the
mean of the nearest known values of the same hour before and after. Mean square errors, in the column's variance.

anomalies: 24 each of spikes (of one value, 1 deviation), shifts (24 values, half a deviation), flat parts
(24 values) and phases (24 values of 12 hours later) are put in. A model that is trained on the series with them,
one that is not trained, and |x - the median of the same hour over 15 days| score each value: the area under
precision and recall, and the volume under it over labels that reach up to 12 values beyond on each side (VUS-PR of
Paparrizos et al. 2022, PVLDB 15, a buffer of up to 24 at 250 thresholds). Nothing is adjusted to whole anomalies.

Needs numpy.
"""
import argparse
import csv
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

DAY = 24


def mae_forecast(a, values, *flags):
    """The columns that it writes of a series, by name."""
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "series.csv", Path(folder) / "out.csv"
        data.write_text("x\n" + "".join("\n" if np.isnan(x) else f"{x:.9g}\n" for x in values))
        command = [a.program, "--train", "--data", data, "--time", "none", "--period", DAY, "--out", out,
                   "--threads", a.threads, "--seed", a.seed, *flags]
        done = subprocess.run([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        rows = list(csv.DictReader(open(out)))
    return {name: np.array([float(row[name] or "nan") for row in rows]) for name in rows[0]}


def interpolated(values):
    places, known = np.arange(len(values)), ~np.isnan(values)
    return np.interp(places, places[known], values[known])


def seasonal(values):
    """The mean of the nearest known values of the same hour before and after."""
    filled = values.copy()
    for hour in range(DAY):
        part = values[hour::DAY]
        places, known = np.arange(len(part)), np.flatnonzero(~np.isnan(part))
        after = np.searchsorted(known, places)
        before = known[np.clip(after - 1, 0, len(known) - 1)]
        after = known[np.clip(after, 0, len(known) - 1)]
        part = np.where(np.isnan(part), (part[before] + part[after]) / 2, part)
        filled[hour::DAY] = part
    return filled


def hidden_places(random, count, share, run):
    hidden = np.zeros(count, bool)
    while hidden.sum() < share * count:
        begin = random.integers(0, count - run)
        hidden[begin:begin + run] = True
    return hidden


def grade_holes(a, values):
    print("| hidden | model | linear interpolation | season |\n|---|---|---|---|")
    for share in a.shares:
        for run in (1, 12):
            hidden = hidden_places(np.random.default_rng(a.seed), len(values), share, run)
            shown = np.where(hidden, np.nan, values)
            said = mae_forecast(a, shown, "--impute", "--context", 3 * DAY, "--horizon", DAY, "--patch",
                                "1x1" if run == 1 else "4x1", "--mask-ratio", 0.5, "--steps", a.steps)["x"]
            errors = [np.mean((way[hidden] - values[hidden])**2) / np.var(values)
                      for way in (said, interpolated(shown), seasonal(shown))]
            print(f"| {100 * share:.4g} %, {'one by one' if run == 1 else 'runs of 12 or more'} | "
                  + " | ".join(f"{error:.3f}" for error in errors) + " |", flush=True)


def with_anomalies(kind, values, random):
    """The series with 24 of a kind, apart from each other, and where they are."""
    changed, labels = values.copy(), np.zeros(len(values), bool)
    slot = len(values) // 24
    for i in range(24):
        begin = i * slot + random.integers(2 * DAY, slot - 3 * DAY)
        part = slice(begin, begin + (1 if kind == "spike" else DAY))
        sign = random.choice((-1, 1))
        if kind == "spike":
            changed[part] += sign * values.std()
        elif kind == "shift":
            changed[part] += sign * values.std() / 2
        elif kind == "flat":
            changed[part] = values[begin]
        else:
            changed[part] = values[begin + DAY // 2:begin + DAY // 2 + DAY]
        labels[part] = True
    return changed, labels


def from_median(values):
    """How far values are from the median of the same hour of 15 days around."""
    score = np.zeros(len(values))
    for hour in range(DAY):
        part = values[hour::DAY]
        for i in range(len(part)):
            score[hour + DAY * i] = abs(part[i] - np.median(part[max(0, i - 7):i + 8]))
    return score


def area_pr(labels, score):
    """Average precision."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(labels[order])
    precision = hits / np.arange(1, len(order) + 1)
    return float(np.sum(precision * labels[order]) / hits[-1])


def reaching(labels, reach):
    """Labels that fall to both sides of each anomaly as sqrt(1 - distance / reach), up to half of it."""
    soft = labels.astype(float)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], labels.astype(int), [0]))))
    for first, last in zip(edges[::2], edges[1::2] - 1):
        for distance in range(1, reach // 2 + 1):
            for place in (first - distance, last + distance):
                if 0 <= place < len(soft):
                    soft[place] = max(soft[place], np.sqrt(1 - distance / reach))
    return soft


def range_area_pr(labels, soft, score):
    """R-AUC-PR: recall counts the mean of both labels' sums, and the share of anomalies that are met."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], (soft > 0).astype(int), [0]))))
    parts = list(zip(edges[::2], edges[1::2]))
    positives = (labels.sum() + soft.sum()) / 2
    recalls, precisions = [0.0], [1.0]
    for threshold in np.sort(score)[::-1][np.linspace(0, len(score) - 1, 250).astype(int)]:
        said = score >= threshold
        hits = float(soft[said].sum())
        met = np.mean([said[first:last].any() for first, last in parts])
        recalls.append(min(hits / positives, 1) * met)
        precisions.append(hits / said.sum())
    recalls, precisions = np.array(recalls), np.array(precisions)
    return float(np.sum(np.diff(recalls) * (precisions[1:] + precisions[:-1]) / 2))


def volume_pr(labels, score, most=DAY):
    return float(np.mean([range_area_pr(labels, reaching(labels, reach), score) for reach in range(most + 1)]))


def grade_anomalies(a, values):
    print("| anomaly | model | not trained | from the median |\n|---|---|---|---|")
    for kind in ("spike", "shift", "flat", "phase"):
        changed, labels = with_anomalies(kind, values, np.random.default_rng(a.seed))
        flags = ["--anomalies", "--context", 6 * DAY, "--horizon", DAY, "--patch", "4x1"]
        scores = [mae_forecast(a, changed, *flags, "--steps", a.steps)["x score"],
                  mae_forecast(a, changed, *flags, "--steps", 1, "--lr", 1e-9)["x score"], from_median(changed)]
        print(f"| {kind} | " + " | ".join(f"{area_pr(labels, score):.3f}, {volume_pr(labels, score):.3f}"
                                          for score in (np.nan_to_num(score) for score in scores)) + " |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--program", default="build/release/examples/tools/mae_forecast")
    parser.add_argument("--column", default="OT")
    parser.add_argument("--what", nargs="+", choices=("holes", "anomalies"), default=["holes", "anomalies"])
    parser.add_argument("--shares", nargs="+", type=float, default=[0.125, 0.25, 0.375, 0.5])
    for flag, default in (("rows", 5760), ("steps", 1000), ("threads", 1), ("seed", 0)):
        parser.add_argument("--" + flag, type=int, default=default)
    a = parser.parse_args()
    values = np.array([float(row[a.column]) for row in csv.DictReader(open(a.data))])[:a.rows]
    if "holes" in a.what:
        grade_holes(a, values)
    if "anomalies" in a.what:
        grade_anomalies(a, values)


if __name__ == "__main__":
    main()
