#!/usr/bin/env python3
"""Loads what mae_convert writes into transformers and timm, which must compute what they computed
before (tests/interop/fixtures).

    check_with_python.py MAE_CONVERT SCRATCH_FOLDER

Says so and exits with 77 where a library is missing.
"""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import timm
    import torch
    from safetensors.torch import load_file
    from transformers import ViTMAEForPreTraining, ViTMAEModel
except ImportError as missing:
    print(f"skipped: {missing}; it needs torch, safetensors, transformers and timm")
    sys.exit(77)

FIXTURES = Path(__file__).resolve().parent.parent / "interop" / "fixtures"


def expect_close(what, actual, expected):
    difference = (actual - expected).abs().max().item()
    if not difference <= 1e-5:
        sys.exit(f"{what} differs by {difference:.3g}")
    print(f"{what}: within {difference:.2g}")


def check_transformers(name, folder, expected):
    model, info = ViTMAEForPreTraining.from_pretrained(folder, output_loading_info=True)
    problems = {key: value for key, value in info.items() if value}
    if problems:
        sys.exit(f"{name}: {problems}")
    images = expected["input.images"].permute(0, 3, 1, 2)
    with torch.inference_mode():
        out = model.eval()(images, noise=expected["input.noise"])
    expect_close(f"{name}: loss", out.loss, expected["output.loss"])
    expect_close(f"{name}: logits", out.logits[out.mask.bool()], expected["output.pred"])
    base = ViTMAEModel.from_pretrained(folder, mask_ratio=0.0).eval()
    noise = torch.arange(expected["input.noise"].shape[1]).float().expand(len(images), -1)
    with torch.inference_mode():
        tokens = base(images, noise=noise).last_hidden_state.flatten(0, 1)
    expect_close(f"{name}: tokens", tokens, expected["output.tokens"])


def check_timm(name, path, expected):
    """`rgb` alone: timm's epsilon is 1e-6, its MLP four times as wide."""
    model = timm.models.vision_transformer.VisionTransformer(
        img_size=12, patch_size=3, embed_dim=16, depth=3, num_heads=2, num_classes=0,
        global_pool="token", norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-12))
    model.load_state_dict(load_file(path))
    with torch.inference_mode():
        tokens = model.eval().forward_features(expected["input.images"].permute(0, 3, 1, 2))
    expect_close(f"{name}: timm's tokens", tokens.flatten(0, 1), expected["output.tokens"])


def main():
    convert, scratch = sys.argv[1], Path(sys.argv[2])
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)

    def converted(model, to):
        out = scratch / f"{model.name}-{to}"
        subprocess.run([convert, "--model", model, "--out", out, "--to", to], check=True)
        return out

    for name in ("rgb", "grey", "five"):
        expected = load_file(FIXTURES / name / "expected.safetensors")
        official = converted(FIXTURES / name, "official")
        check_transformers(name, converted(official, "huggingface"), expected)
        if name == "rgb":
            check_timm(name, converted(official, "timm"), expected)


if __name__ == "__main__":
    main()
