#!/usr/bin/env python3
"""Runs a training program over settings and seeds, and compares the settings.

    mae_sweep.py --out DIR --metric knn_top1 --seeds 0-4 --grid lr=1e-3,2e-3 --grid mask-ratio=0.6,0.75 \\
        -- cifar10_pretrain --data data --config quick4 --epochs 5

Everything after -- is the program and the flags that all runs share; a run's own settings, --seed and
--out are added. Begun again with the same words it goes on where it stopped. It needs Python 3.8 or newer
and nothing else.

In DIR: results.csv, a row for each run; table.md, the settings compared; a folder for each run.
"""

import argparse
import csv
import io
import itertools
import json
import math
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path


class Refused(Exception):
    """A command line or a folder that cannot be; the message says what to do."""


# ---- statistics ------------------------------------------------------------------------------------


def incomplete_beta(a, b, x):
    """The regularised incomplete beta function by its continued fraction (DLMF 8.17.22, Lentz)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    tiny = 1e-300
    c, d, value = 1.0, 0.0, 1.0
    for step in range(2000):
        m, is_odd = divmod(step, 2)
        if step == 0:
            term = 1.0
        elif is_odd:
            term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        else:
            term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / ((1 + term * d) or tiny)
        c = (1 + term / c) or tiny
        value *= c * d
        if step > 0 and abs(c * d - 1) < 1e-15:
            break
    log_front = (math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
                 + a * math.log(x) + b * math.log1p(-x))
    return math.exp(log_front) * (value - 1) / a


def t_quantile(share, degrees):
    """The t that Student's distribution stays below with this probability, which is above a half."""
    low, high = 0.0, 1.0

    def below(t):
        return 1 - incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t)) / 2

    while below(high) < share:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return (low + high) / 2


def mean_of(values):
    return math.fsum(values) / len(values)


def deviation_of(values):
    """Of a sample, by n - 1; NaN of one value."""
    if len(values) < 2:
        return math.nan
    mean = mean_of(values)
    return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))


def welch_interval(a, b, confidence=0.95):
    """The mean of a less that of b, and the half width of its interval (Welch 1947); NaN where either
    has fewer than two values."""
    difference = mean_of(a) - mean_of(b)
    if len(a) < 2 or len(b) < 2:
        return difference, math.nan
    of_a, of_b = (deviation_of(v) ** 2 / len(v) for v in (a, b))
    if of_a + of_b == 0:
        return difference, 0.0
    degrees = (of_a + of_b) ** 2 / (of_a ** 2 / (len(a) - 1) + of_b ** 2 / (len(b) - 1))
    return difference, t_quantile((1 + confidence) / 2, degrees) * math.sqrt(of_a + of_b)


# ---- what is to be run ----------------------------------------------------------------------------


def settings_of_grid(grids):
    """All combinations of NAME=A,B,...: lists of (name, value)."""
    axes = []
    for text in grids:
        name, equals, values = text.partition("=")
        if not equals or not name or not all(values.split(",")):
            raise Refused(f"--grid {text}: write NAME=VALUE,VALUE")
        axes.append([(name, value) for value in values.split(",")])
    return [list(setting) for setting in itertools.product(*axes)]


def settings_of_list(path):
    """A setting for each row of a table whose columns are flags; an empty field leaves its flag away."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise Refused(f"--list {path}: has no row beneath its header")
    return [[(name, value) for name, value in row.items() if value] for row in rows]


def seeds_of(text):
    """"0,1,2" or "0-4"."""
    seeds = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        try:
            seeds += range(int(first), int(last if dash else first) + 1)
        except ValueError:
            raise Refused(f"--seeds {text}: write numbers as 0,1,2 or 0-4") from None
    if not seeds or len(set(seeds)) < len(seeds):
        raise Refused(f"--seeds {text}: needs seeds, each once")
    return seeds


def name_of(setting):
    return " ".join(f"{name}={value}" for name, value in setting) or "as given"


def words_of(setting):
    """The words of a command line; "on" stands for a flag that takes no value, "off" for none."""
    words = []
    for name, text in setting:
        words += {"on": [f"--{name}"], "off": []}.get(text, [f"--{name}", text])
    return words


def folder_of(setting):
    """A name for a folder; values may hold slashes."""
    return "".join(c if c.isalnum() or c in "=.,_-" else "_" for c in name_of(setting).replace(" ", ","))


def parse_rungs(text):
    """"epochs=2,6,18": the flag and its values, which rise; (None, [None]) without one."""
    if text is None:
        return None, [None]
    name, equals, values = text.partition("=")
    try:
        numbers = [float(value) for value in values.split(",")]
    except ValueError:
        numbers = []
    if not equals or len(numbers) < 2 or numbers != sorted(set(numbers)):
        raise Refused(f"--halving {text}: write FLAG=SMALL,...,LARGE, as epochs=2,6,18")
    return name, values.split(",")


# ---- running --------------------------------------------------------------------------------------


def metric_in(summary, name):
    """A member of a summary, within others by dots; None where it is not measured."""
    value = summary
    for part in name.split("."):
        if not isinstance(value, dict) or part not in value:
            raise Refused(f"the summary has no {name}; it has {', '.join(sorted(summary))}")
        value = value[part]
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def finished_summary(folder):
    """The summary of a run that is done, or None."""
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return summary if summary.get("status", "done") == "done" else None


def save_text(path, text):
    """Replaces a file as a whole."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="")
    os.replace(partial, path)


class Sweep:
    def __init__(self, options, program):
        self.out = Path(options.out)
        self.metric = options.metric
        self.lower = options.lower
        self.program = program
        self.rows = []

    def run(self, setting, seed, rung):
        """Trains where that was not done yet; returns the metric, or None."""
        flag, value = rung
        folder = self.out / folder_of(setting + ([(flag, value)] if flag else [])) / f"seed={seed}"
        words = list(self.program)
        words += words_of(setting + ([(flag, value)] if flag else []))
        words += ["--seed", str(seed), "--out", str(folder / "run")]
        self.check_words(folder, words)
        summary = finished_summary(folder / "run")
        status, seconds = "done before", 0.0
        if summary is None:
            status, seconds = self.train(folder, words)
            summary = finished_summary(folder / "run")
        score = metric_in(summary, self.metric) if summary else None
        if summary and score is None:
            status = f"no {self.metric}"
        print(f"{name_of(setting)}{f' {flag}={value}' if flag else ''} seed={seed}: "
              f"{self.metric} {'-' if score is None else format(score, '.6g')} ({status})", flush=True)
        self.rows.append({"setting": name_of(setting), "rung": f"{flag}={value}" if flag else "",
                          "seed": seed, self.metric: "" if score is None else repr(score),
                          "status": status, "seconds": f"{seconds:.1f}", "folder": str(folder / "run")})
        self.save_rows()
        return score

    def check_words(self, folder, words):
        """A folder's results are those of one command."""
        folder.mkdir(parents=True, exist_ok=True)
        said = folder / "command.json"
        if not said.exists():
            save_text(said, json.dumps(words) + "\n")
        elif json.loads(said.read_text(encoding="utf-8")) != words:
            raise Refused(f"{folder} holds a run by another command, {said}: choose another --out")

    def train(self, folder, words):
        if (folder / "run" / "training.safetensors").exists():
            words = words + ["--resume"]
        start = time.monotonic()
        with open(folder / "output.txt", "a", encoding="utf-8") as log:
            log.write(f"$ {shlex.join(words)}\n")
            log.flush()
            code = subprocess.run(words, stdout=log, stderr=subprocess.STDOUT, check=False).returncode
        status = "done" if code == 0 else f"failed, exit status {code}: see output.txt"
        return status, time.monotonic() - start

    def save_rows(self):
        text = io.StringIO()
        writer = csv.DictWriter(text, self.rows[0].keys())
        writer.writeheader()
        writer.writerows(self.rows)
        save_text(self.out / "results.csv", text.getvalue())

    def survivors(self, scores, keep):
        """Of settings' numbers with their scores, the best share of 1 / keep, at least one; a setting
        without any score is out."""
        ranked = sorted((number for number in scores if scores[number]),
                        key=lambda number: mean_of(scores[number]), reverse=not self.lower)
        return sorted(ranked[:max(1, math.ceil(len(scores) / keep))])


def table_of(settings, scores, metric):
    """The settings compared as Markdown: each against the first that has scores."""
    first = next((number for number in scores if scores[number]), None)
    lines = [f"| setting | runs | mean {metric} | deviation | against the first: difference, 95% interval (Welch) |",
             "|---|---:|---:|---:|---|"]
    for number, values in scores.items():
        if not values:
            lines.append(f"| {name_of(settings[number])} | 0 | - | - | - |")
            continue
        deviation = deviation_of(values)
        row = [name_of(settings[number]), str(len(values)), f"{mean_of(values):.6g}",
               "-" if math.isnan(deviation) else f"{deviation:.3g}"]
        if number == first:
            row.append("the first")
        else:
            difference, half = welch_interval(values, scores[first])
            row.append(f"{difference:+.4g}" + (", too few runs for an interval" if math.isnan(half) else
                                              f" [{difference - half:+.4g}, {difference + half:+.4g}]"))
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def parse(words):
    split = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for all runs and results")
    parser.add_argument("--metric", required=True, metavar="NAME",
                        help="a number of summary.json: knn_top1, heldout_loss, top1, raw_pixels.knn_top1")
    parser.add_argument("--lower", action="store_true", help="less of it is better, as of a loss")
    parser.add_argument("--seeds", default="0-2", metavar="0,1|0-4", help="seeds of each setting [0-2]")
    parser.add_argument("--grid", action="append", default=[], metavar="FLAG=A,B",
                        help="values of a flag; on,off: with and without one that takes no value; several "
                             "--grid give all combinations")
    parser.add_argument("--list", metavar="FILE.csv", help="a setting a row, a flag a column; instead of --grid")
    parser.add_argument("--halving", metavar="FLAG=A,B,C",
                        help="successive halving: all settings with --FLAG A, the best of them anew with "
                             "B, and so on; a run of each length has its own schedule")
    parser.add_argument("--keep", type=int, default=2, metavar="K", help="of which one in K goes on [2]")
    options = parser.parse_args(words[:split])
    if options.grid and options.list:
        raise Refused("give --grid or --list, not both")
    if options.keep < 2:
        raise Refused("--keep must be 2 or more")
    if not words[split + 1:]:
        raise Refused("after -- stand the program to run and the flags that all runs share; see --help")
    return options, words[split + 1:]


def sweep(words):
    options, program = parse(words)
    settings = settings_of_list(options.list) if options.list else settings_of_grid(options.grid)
    seeds = seeds_of(options.seeds)
    flag, rungs = parse_rungs(options.halving)
    own = {name for setting in settings for name, _ in setting} | {"seed", "out", "resume"} | {flag}
    for word in program:
        name = word.partition("=")[0]
        if name.startswith("--") and name[2:] in own:
            raise Refused(f"{name} stands after --, and is each run's own: leave it away there")
    work = Sweep(options, program)
    alive = list(range(len(settings)))
    for place, value in enumerate(rungs):
        scores = {number: [score for seed in seeds
                           if (score := work.run(settings[number], seed, (flag, value))) is not None]
                  for number in alive}
        if place + 1 < len(rungs):
            alive = work.survivors(scores, options.keep)
    table = table_of(settings, scores, options.metric)
    if flag:
        table = f"With {flag}={rungs[-1]}, of {len(settings)} settings:\n\n" + table
    save_text(work.out / "table.md", table)
    print("\n" + table, end="")
    return 0 if all(len(values) == len(seeds) for values in scores.values()) else 1


def main():
    try:
        return sweep(sys.argv[1:])
    except Refused as why:
        print(f"mae_sweep.py: {why}", file=sys.stderr)
        return 2
    except OSError as why:
        print(f"mae_sweep.py: {why}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mae_sweep.py: interrupted; the same words go on", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
