#!/usr/bin/env python3
"""Grades mae_forecast by the protocol of papers on long forecasts, and prints a Markdown table.

    series_protocol.py --data FOLDER [--program build/release/examples/tools/mae_forecast] [--sets ETTh1]...
        [--horizons 96]... [--context 336] [--steps 2000] [--validate] [--more "--variables rows"]

FOLDER holds ETTh1.csv, ETTh2.csv, national_illness.csv, exchange_rate.csv; what is not there is left out, with
a line. All variables, every window of the test part at stride 1, none dropped at its end; errors in deviations
of the training part, which is all that is learnt from. ETTh1 and ETTh2: 12, 4 and 4 months of 30 days; the
others 70, 10 and 20 percent. The context is the same for all methods. --validate grades the windows of the
validation part in place of the test part's, which is cut off: contexts and steps are chosen by it.
"""
import argparse
import math
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

MONTH = 30 * 24
SETS = {  # file, rows of the training and the test part, of all rows where they are shares; context; horizons
    "ETTh1": ("ETTh1.csv", 12 * MONTH, 4 * MONTH, 20 * MONTH, 336, (96, 192, 336, 720)),
    "ETTh2": ("ETTh2.csv", 12 * MONTH, 4 * MONTH, 20 * MONTH, 336, (96, 192, 336, 720)),
    "illness": ("national_illness.csv", 0.7, 0.2, None, 104, (24, 36, 48, 60)),
    "exchange": ("exchange_rate.csv", 0.7, 0.2, None, 336, (96, 192, 336, 720)),
}


def parts(name, folder, validates):
    """The table's lines, and the rows of its training part and of the part that is graded."""
    file, train, test, rows, _, _ = SETS[name]
    lines = (Path(folder) / file).read_text().splitlines()
    rows = rows or len(lines) - 1
    train, test = (int(part * rows) if part < 1 else part for part in (train, test))
    if validates:
        return lines[:1 + rows - test], train, rows - test - train
    return lines[:1 + rows], train, test


def grade(a, name, horizon):
    """Rows of the table: (method, MSE, MAE)."""
    lines, train, test = parts(name, a.data, a.validate)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "series.csv"
        table.write_text("\n".join(lines) + "\n")
        command = [a.program, "--train", "--data", table, "--context", a.context or SETS[name][4], "--horizon", horizon,
                   "--backtest", test - horizon + 1, "--stride", 1, "--training-rows", train,
                   "--out", Path(folder) / "out.csv", "--steps", a.steps, "--threads", a.threads, *shlex.split(a.more)]
        done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"failed: {shlex.join(str(word) for word in command)}")
    print(*re.findall("^training on .*|^period .*|^backtest: .*", done.stdout, re.M), sep="\n", file=sys.stderr)
    number = r"(-?(?:[\d.]+|nan|inf))\b"
    rows = re.findall(rf"^(the model|last value|last period|linear) +{number} +{number}", done.stdout, re.M)
    found = re.search(r"^period (\d+)", done.stdout, re.M)
    wanted = {"the model", "last value", "linear"} | ({"last period"} if found and found[1] != "1" else set())
    if not wanted <= {row[0] for row in rows} or not all(math.isfinite(float(x)) for row in rows for x in row[1:]):
        sys.exit(f"not all of {', '.join(sorted(wanted))} have numbers:\n{done.stdout}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--program", default="build/release/examples/tools/mae_forecast")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--horizons", nargs="+", type=int, help="[those of each set]")
    parser.add_argument("--context", type=int, help="[104 of illness, 336]")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--more", default="", help="further flags of mae_forecast")
    a = parser.parse_args()
    print("| set, horizon | method | MSE | MAE |\n|---|---|---|---|")
    for name in a.sets:
        if not (Path(a.data) / SETS[name][0]).exists():
            print(f"left out: {name}: there is no {SETS[name][0]} in {a.data}", file=sys.stderr)
            continue
        for horizon in a.horizons or SETS[name][5]:
            for method, mse, mae in grade(a, name, horizon):
                print(f"| {name}, {horizon} | {method} | {mse} | {mae} |", flush=True)


if __name__ == "__main__":
    main()
