#!/usr/bin/env python3
"""Times the encoder of pytorch_mae.py on unmasked images, to set beside feature_speed. Prints one
JSON line. int8 is quantize_dynamic of all linear layers.

    pytorch_features.py --config tiny4 --batch 256 --precision fp32 --threads 2
"""
import argparse
import contextlib
import json
import time

import torch

import pytorch_mae


class Features(torch.nn.Module):
    """The mean of an unmasked image's patch tokens after the final norm."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        m = self.model
        patches = m.embed(images).flatten(2).transpose(1, 2) + m.pos[:, 1:]
        first = (m.cls + m.pos[:, :1]).expand(images.shape[0], -1, -1)
        return m.norm(m.blocks(torch.cat([first, patches], 1)))[:, 1:].mean(1)


def encoder_flops(c):
    """Multiply-adds as two operations; norms and activations left out."""
    patches = (c["image"] // c["patch"]) ** 2
    t, d = patches + 1, c["width"]
    return c["depth"] * (24 * t * d * d + 4 * t * t * d) + 2 * patches * c["patch"] ** 2 * 3 * d


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tiny4")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--precision", choices=["fp32", "bf16", "int8"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    pytorch_mae.add_attention(parser)
    chosen = parser.parse_args()
    attention = pytorch_mae.choose_attention(parser, chosen.attention)
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(0)
    config = pytorch_mae.CONFIGS[chosen.config]
    encoder = Features(pytorch_mae.MaskedAutoencoder(**config)).eval()
    if chosen.precision == "int8":
        encoder = torch.ao.quantization.quantize_dynamic(encoder, {torch.nn.Linear}, dtype=torch.qint8)
    run = torch.compile(encoder) if chosen.compile else encoder
    images = torch.randn(chosen.batch, 3, config["image"], config["image"])
    lowered = chosen.precision == "bf16"
    times = []
    with torch.inference_mode(), \
            torch.autocast("cpu", dtype=torch.bfloat16) if lowered else contextlib.nullcontext():
        for _ in range(chosen.steps + 2):  # two to warm up
            start = time.perf_counter()
            run(images)
            times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    median = times[len(times) // 2]
    print(json.dumps({
        "system": f"pytorch {torch.__version__} {attention}" + (" compiled" if chosen.compile else ""),
        "config": chosen.config, "batch": chosen.batch, "precision": chosen.precision,
        "threads": chosen.threads, "images_per_second": round(chosen.batch / median, 1),
        "gflops": round(encoder_flops(config) * chosen.batch / median / 1e9, 1),
        "p50_ms": round(1e3 * median, 2), "p99_ms": round(1e3 * times[len(times) * 99 // 100], 2)}))


if __name__ == "__main__":
    main()
