#!/usr/bin/env python3
"""Makes tests/tools/attention: a small ViT of timm's, a picture, and what its heads take of each token.

    make_attention_fixture.py    (timm 1.0.31, Pillow 13.0.0, PyTorch 2.15)
"""

from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models import save_for_hf

FOLDER = Path(__file__).resolve().parent / "attention"


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(2)
    arguments = dict(img_size=(16, 32), patch_size=8, embed_dim=24, depth=2, num_heads=3)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=0, **arguments).eval()
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        is_norm = "norm" in name and name.endswith("weight")
        value.data = 1 + 0.2 * noise if is_norm else noise * max(value[0].numel(), 4) ** -0.5
    save_for_hf(model, FOLDER / "model", model_args=arguments, safe_serialization=True)
    pixels = (torch.rand((16, 32, 3), generator=generator) * 255).round().to(torch.uint8)
    (FOLDER / "pictures").mkdir(exist_ok=True)
    Image.fromarray(pixels.numpy()).save(FOLDER / "pictures" / "noise.png")

    probabilities = []
    for block in model.blocks:
        block.attn.fused_attn = False
        block.attn.attn_drop.register_forward_hook(lambda _, given, __: probabilities.append(given[0][0]))
    with torch.inference_mode():
        tokens = model.forward_features((pixels.permute(2, 0, 1)[None] / 255 - 0.5) / 0.5)[0]
        rolled = torch.eye(tokens.shape[0])
        for p in probabilities:  # Abnar & Zuidema 2020: half of the residual stream, half of the heads' mean
            rolled = (0.5 * p.mean(0) + 0.5 * torch.eye(p.shape[-1])) @ rolled
    save_file({"probabilities": torch.stack(probabilities).contiguous(), "tokens": tokens.contiguous(),
               "rollout": rolled[0, 1:].contiguous()}, FOLDER / "expected.safetensors")


if __name__ == "__main__":
    main()
