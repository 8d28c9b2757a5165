#!/usr/bin/env python3
"""Makes the fixtures of plain ViTs, as Hugging Face saves them: tests/interop/fixtures/vit*.

    python3 make_vit_fixtures.py

Needs torch, transformers (5.24 made the files), timm (1.0.31) and safetensors. For each case a folder holds what
that library saves (config.json and tensors: the names of ViTModel, and those of
ViTForImageClassification) and `expected.safetensors`, in float32, computed in float64:

    images (B, H, W, C)      as the network sees them
    tokens (B (N + 1), D)    ViTModel's last_hidden_state: after the final norm, the class token first

The cases: `vit`, a ViTModel with its pooler, of images that are not square, in half precision and
as a variant's two shards; `vit_classifier`, a ViTForImageClassification; `timm_mean`, timm's classifier
by the mean, whose norm (fc_norm) comes after the mean, and instead of `tokens`

    mean (B, D)              what its head sees
    class (B, D)             the same norm of its class token
"""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from timm.models.vision_transformer import VisionTransformer
from transformers import ViTConfig, ViTForImageClassification, ViTModel

FOLDER = Path(__file__).resolve().parent / "fixtures"
IMAGES = 2
SIZES = dict(patch_size=3, hidden_size=12, num_hidden_layers=2, num_attention_heads=3,
             intermediate_size=36)


def fill(model, generator):
    """Values that hide no path."""
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if "norm" in name and name.endswith("weight"):
            value.data = 1 + 0.2 * noise
        elif value.dim() > 1 and "token" not in name and "position" not in name:
            value.data = noise * value[0].numel() ** -0.5
        else:
            value.data = 0.2 * noise
    return model.eval()


def expected(model, size, generator):
    height, width = size
    images = torch.randn((IMAGES, 3, height, width), generator=generator).double()
    stored = model.dtype
    tokens = model.double()(images).last_hidden_state
    model.to(stored)
    return {"images": images.permute(0, 2, 3, 1), "tokens": tokens.flatten(0, 1)}


def save_case(name, model, vit, size, generator, **options):
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    with torch.inference_mode():
        tensors = expected(vit, size, generator)
    model.save_pretrained(folder, **options)
    save_file({k: v.float().contiguous() for k, v in tensors.items()},
              folder / "expected.safetensors")


def save_timm_mean(generator):
    model = VisionTransformer(img_size=12, patch_size=3, embed_dim=12, depth=2, num_heads=3,
                              mlp_ratio=3, num_classes=5, global_pool="avg")
    fill(model, generator)
    images = torch.randn((IMAGES, 3, 12, 12), generator=generator)
    with torch.inference_mode():
        tokens = model.double().forward_features(images.double())
        found = {"images": images.permute(0, 2, 3, 1),
                 "mean": model.forward_head(tokens, pre_logits=True),
                 "class": model.fc_norm(tokens[:, 0])}
    folder = FOLDER / "timm_mean"
    folder.mkdir(exist_ok=True)
    save_file({k: v.float().contiguous() for k, v in model.state_dict().items()},
              folder / "model.safetensors")
    save_file({k: v.float().contiguous() for k, v in found.items()},
              folder / "expected.safetensors")


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(1)
    vit = fill(ViTModel(ViTConfig(image_size=[12, 9], layer_norm_eps=1e-6, **SIZES)), generator)
    vit.half()  # what is computed with is what the files hold
    save_case("vit", vit, vit, (12, 9), generator, variant="fp16", max_shard_size="4KB")
    classifier = ViTForImageClassification(ViTConfig(image_size=12, num_labels=5, **SIZES))
    fill(classifier, generator)
    save_case("vit_classifier", classifier, classifier.vit, (12, 12), generator)
    save_timm_mean(generator)


if __name__ == "__main__":
    main()
