#!/usr/bin/env python3
"""Makes the fixtures that prove parity with the package visionts: tests/series/fixtures.

    python3 make_visionts_reference.py

Needs visionts (1.0.1 made the files) with the torch, torchvision and timm of today. The package's
class is used as it is, but for the architecture, which is a small one, and random weights:

    visionts_model.safetensors    the model's own names, which are those of the official MAE
    visionts.safetensors          for each case k: case<k>.context (windows, context), made up here,
                                  and case<k>.forecast (windows, horizon), what the package says;
                                  cases (K, 3) I32: context, horizon, period

The cases: contexts that are whole numbers of periods and that are not, horizons of less than a period
and of many, a period of one value, a period longer than the picture is high, a context that is made
smaller and one that is made larger.
"""

import sys
from functools import partial
from pathlib import Path

import torch
from torch import nn
from visionts import VisionTS, model as visionts_model, models_mae

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "reference"))
import safetensors_file  # noqa: E402

SIZES = dict(img_size=64, patch_size=8, embed_dim=24, depth=2, num_heads=3, decoder_embed_dim=16,
             decoder_depth=1, decoder_num_heads=2)
CASES = ((96, 24, 24), (120, 96, 24), (110, 30, 24), (400, 7, 1), (300, 50, 90), (77, 33, 12),
         (480, 5, 7))


def small_model(seed):
    """A VisionTS whose model has SIZES, and random values everywhere."""
    visionts_model.MAE_ARCH["small"] = [
        lambda: models_mae.MaskedAutoencoderViT(norm_layer=partial(nn.LayerNorm, eps=1e-6), **SIZES), ""]
    torch.manual_seed(seed)
    made = VisionTS(arch="small", load_ckpt=False)
    with torch.no_grad():
        for name, tensor in made.vision_model.named_parameters():
            if tensor.dim() == 1:
                tensor.add_(0.1 * torch.randn_like(tensor))
            elif "token" in name:
                tensor.normal_(std=0.5)
    return made.eval()


def series(windows, length, period):
    """Two seasons, a slope and noise, of other heights in each window: (windows, length)."""
    time = torch.arange(length, dtype=torch.float64)
    rows = []
    for i in range(windows):
        season = torch.sin(2 * torch.pi * time / max(period, 2) + i)
        slow = torch.cos(2 * torch.pi * time / (5.3 * period) + i)
        rows.append(10 * i + (1 + 3 * i) * (season + 0.5 * slow + 0.004 * time
                                            + 0.3 * torch.randn(length, dtype=torch.float64)))
    return torch.stack(rows).float()


def main():
    folder = FOLDER / "fixtures"
    folder.mkdir(exist_ok=True)
    package = small_model(seed=1)
    metadata = {"made_by": "make_visionts_reference.py"}
    safetensors_file.save(folder / "visionts_model.safetensors",
                          package.vision_model.state_dict(), metadata)
    tensors = {"cases": torch.tensor(CASES, dtype=torch.int32)}
    for k, (context, horizon, period) in enumerate(CASES):
        package.update_config(context, horizon, period)
        past = series(2, context, period)
        with torch.no_grad():
            said = package(past.T[None])[0].T  # (windows, horizon): variables are windows
        assert said.shape == (2, horizon)
        tensors[f"case{k}.context"] = past
        tensors[f"case{k}.forecast"] = said.contiguous()
    safetensors_file.save(folder / "visionts.safetensors", tensors, metadata)


if __name__ == "__main__":
    main()
