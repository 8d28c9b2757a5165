#!/usr/bin/env python3
"""The PyTorch side of a side-by-side: one pre-training step of two views of each image, both encoded with 75%
of their patches hidden, the first of them painted, compared by symmetric InfoNCE on a projector (layer norm,
linear, GELU, linear) of the mean patch token; timed on this CPU. Both views pass the encoder as one batch, and
are ready in memory; mae's step also crops and mirrors its own.

    pytorch_two_views.py --config tiny4 --batch 128 --precision bf16 --threads 2 --attention fused [--compile]

Prints one JSON line, operations counted as mae's are. Needs torch.
"""
import argparse
import json

import torch
import torch.nn as nn
import torch.nn.functional as F

from pytorch_mae import CONFIGS, MaskedAutoencoder, add_attention, choose_attention, seconds_of_step, step_flops

HIDDEN, OUTPUTS, TEMPERATURE, WEIGHT = 512, 128, 0.2, 0.3


class TwoViews(MaskedAutoencoder):
    def __init__(self, **config):
        super().__init__(**config)
        width = config["width"]
        self.projector = nn.Sequential(
            nn.LayerNorm(width, eps=1e-6), nn.Linear(width, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, OUTPUTS))

    def forward(self, views):
        b = views.shape[0] // 2
        tokens, shuffle = self.encode(views)
        z = F.normalize(self.projector(tokens[:, 1:].mean(1)), dim=-1)
        logits = z[:b] @ z[b:].T / TEMPERATURE
        right = torch.arange(b)
        contrast = (F.cross_entropy(logits, right) + F.cross_entropy(logits.T, right)) / 2
        return self.paint(tokens[:b], views[:b], shuffle[:b]) + WEIGHT * contrast


def views_flops(c, mask_ratio=0.75):
    """A painted step's, and the encoder's and the projector's of the other view."""
    n, d = (c["image"] // c["patch"]) ** 2, c["width"]
    v = int(n * (1 - mask_ratio)) + 1
    encoder = c["depth"] * (24 * v * d * d + 4 * v * v * d) + 2 * n * c["patch"] ** 2 * 3 * d
    return step_flops(c, mask_ratio) + 3 * encoder + 2 * 3 * 2 * HIDDEN * (d + OUTPUTS)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=CONFIGS, default="tiny4")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    add_attention(parser)
    a = parser.parse_args()
    attention = choose_attention(parser, a.attention)
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    config = CONFIGS[a.config]
    model = TwoViews(**config)
    views = torch.randn(2 * a.batch, 3, config["image"], config["image"])
    seconds = seconds_of_step(a, model, views)
    print(json.dumps({
        "system": f"pytorch {torch.__version__} {attention}" + (" compiled" if a.compile else ""), "config": a.config,
        "batch": a.batch, "precision": a.precision, "threads": a.threads,
        "images_per_second": round(a.batch / seconds, 1),
        "gflops": round(views_flops(config) * a.batch / seconds / 1e9, 1)}))


if __name__ == "__main__":
    main()
