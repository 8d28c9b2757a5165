#!/usr/bin/env python3
"""Forecasts ETTh1 with the package visionts and with mae_forecast, by the same random model, and
compares them: within 1e-4 of the largest value.

    check_with_visionts.py MAE_FORECAST FOLDER

The data is ETTh1.csv in the folder that MAE_ETT_DIR names. Without it, or without the package (1.0.1, with
torch, torchvision, timm, einops and pandas), it says so and ends with status 77.
"""

import csv
import os
import subprocess
import sys
from pathlib import Path

CASES = (  # context, horizon, period, column
    (2880, 96, 24, "OT"), (2880, 720, 24, "HUFL"), (1152, 192, 24, "OT"), (512, 336, 24, "LULL"),
    (336, 96, 168, "MUFL"), (500, 30, 24, "OT"), (400, 60, 1, "HULL"), (96, 24, 7, "OT"))


def main():
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    data = Path(os.environ.get("MAE_ETT_DIR", "/nowhere")) / "ETTh1.csv"
    if not data.exists():
        print("skipped: set MAE_ETT_DIR to the folder of ETTh1.csv")
        return 77
    try:
        import torch
        import make_visionts_reference as reference
    except ImportError as missing:
        print(f"skipped: {missing}")
        return 77
    program, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    package = reference.small_model(seed=7)
    model = folder / "model.safetensors"
    reference.safetensors_file.save(model, package.vision_model.state_dict(), {"made_by": "a test"})
    rows = list(csv.DictReader(data.open()))
    largest = 0
    for k, (context, horizon, period, column) in enumerate(CASES):
        end = len(rows) - 1000 * k
        cut = folder / "cut.csv"
        with cut.open("w") as file:
            file.write(f"date,{column}\n")
            file.writelines(f"{row['date']},{row[column]}\n" for row in rows[:end])
        subprocess.run(
            [program, "--model", model, "--heads", "3", "--decoder-heads", "2", "--data", cut,
             "--context", str(context), "--horizon", str(horizon), "--period", str(period),
             "--as-visionts", "--out", folder / "out.csv"],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ours = torch.tensor([float(row[column]) for row in csv.DictReader((folder / "out.csv").open())])
        past = torch.tensor([float(row[column]) for row in rows[end - context:end]])
        package.update_config(context, horizon, period)
        with torch.no_grad():
            theirs = package(past[None, :, None])[0, :, 0]
        assert ours.shape == theirs.shape == (horizon,)
        difference = float((ours - theirs).abs().max() / theirs.abs().max())
        largest = max(largest, difference)
        print(f"context {context}, horizon {horizon}, period {period}, {column}: {difference:.1e}")
        if difference > 1e-4:
            return 1
    print(f"{len(CASES)} forecasts of ETTh1 agree with visionts: at most {largest:.1e} of the largest value")
    return 0


if __name__ == "__main__":
    sys.exit(main())
