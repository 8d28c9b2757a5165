#!/usr/bin/env python3
"""Forecasts windows of a series with the package visionts and with mae, by the same random model, in turns,
and prints the seconds of each and their ratio, by the clock and by what all threads were busy.

    visionts_speed.py ETTh1.csv [--build build/release] [--column OT] [--context 672] [--horizon 96]
        [--period 24] [--windows 1000] [--threads 2] [--batch 64]... [--rounds 5]

Needs visionts (1.0.1) with torch, torchvision, timm, einops and requests. The model is a small ViTMAE of pictures of
224 x 224 pixels with patches of 16: encoder 192 wide, 6 deep, decoder 128 wide, 2 deep. visionts is given its
windows in batches of each size that is named, and the fastest counts; the windows are read before. What both
say must agree to 1e-4 of the largest value. Only ratios of medians are meant to be read: absolute figures
drift on a shared machine, those by the clock most.
"""
import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from torch import nn
from visionts import VisionTS, model as visionts_model, models_mae

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "reference"))
import safetensors_file  # noqa: E402

SIZES = dict(img_size=224, patch_size=16, embed_dim=192, depth=6, num_heads=3, decoder_embed_dim=128,
             decoder_depth=2, decoder_num_heads=4)


def small_model():
    """A VisionTS whose model has SIZES, and random weights."""
    visionts_model.MAE_ARCH["small"] = [
        lambda: models_mae.MaskedAutoencoderViT(norm_layer=partial(nn.LayerNorm, eps=1e-6), **SIZES), ""]
    torch.manual_seed(0)
    return VisionTS(arch="small", load_ckpt=False).eval()


def forecast(package, contexts, batch):
    """Seconds by the clock and of all threads, and (windows, horizon)."""
    start, busy = time.perf_counter(), time.process_time()
    with torch.inference_mode():
        said = [package(part[:, :, None])[:, :, 0] for part in contexts.split(batch)]
    return (time.perf_counter() - start, time.process_time() - busy), torch.cat(said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--build", default="build/release", help="where forecast_speed is built")
    parser.add_argument("--column", default="OT")
    for flag, default in (("context", 672), ("horizon", 96), ("period", 24), ("windows", 1000), ("threads", 2),
                          ("rounds", 5)):
        parser.add_argument("--" + flag, type=int, default=default)
    parser.add_argument("--batch", type=int, action="append", help="of visionts; may be repeated [64]")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    package = small_model()
    package.update_config(a.context, a.horizon, a.period)
    values = torch.tensor([float(row[a.column]) for row in csv.DictReader(open(a.data))])
    stride = (len(values) - a.context - a.horizon) // a.windows
    contexts = torch.stack([values[i * stride:i * stride + a.context] for i in range(a.windows)])
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder) / "model.safetensors", Path(folder) / "said"
        safetensors_file.save(model, package.vision_model.state_dict(), {"made_by": "visionts_speed.py"})
        ours = [f"{a.build}/benchmarks/forecast_speed", model, SIZES["num_heads"], SIZES["decoder_num_heads"],
                a.data, a.column, a.context, a.horizon, a.period, a.windows, a.threads, out]
        seen = {}
        for _ in range(a.rounds):
            for batch in a.batch or [64]:
                forecast(package, contexts[:batch], batch)  # warms up
                seconds, theirs = forecast(package, contexts, batch)
                seen.setdefault(f"visionts, batches of {batch}", []).append(seconds)
            done = subprocess.run([str(word) for word in ours], check=True, stdout=subprocess.PIPE, text=True)
            found = json.loads(done.stdout)
            seen.setdefault("mae", []).append((found["seconds"], found["cpu_seconds"]))
        said = torch.frombuffer(bytearray(out.read_bytes()), dtype=torch.float32).view(theirs.shape)
    difference = float((said - theirs).abs().max() / theirs.abs().max())
    if difference > 1e-4:
        sys.exit(f"they differ by {difference:.1e} of the largest value")
    medians = {name: [statistics.median(column) for column in zip(*times)] for name, times in seen.items()}
    print(f"| {a.windows} windows, context {a.context}, horizon {a.horizon} | seconds | mae is faster by "
          "| busy threads' seconds | mae needs less by |")
    print("|---|---|---|---|---|")
    for name, times in medians.items():
        ratios = ["" if name == "mae" else f"{t / own:.2f}" for t, own in zip(times, medians["mae"])]
        print(f"| {name} | {times[0]:.2f} | {ratios[0]} | {times[1]:.2f} | {ratios[1]} |")
    print(f"(the medians of {a.rounds} turns; forecasts agree to {difference:.0e} of the largest value)")


if __name__ == "__main__":
    main()
