#!/usr/bin/env python3
"""The PyTorch side of a side-by-side: one step of fine-tuning a Vision Transformer of timm's on classes,
timed on this CPU, by the official recipe: mean pooling and its norm, label smoothing, AdamW with a learning
rate for each layer. Images are ready in memory; mae's step also crops and mirrors its own.

    pytorch_finetune.py --config tiny4 --batch 128 --precision bf16 --threads 2 --attention fused [--compile]

Prints one JSON line, operations counted as mae's are. Needs torch and timm.
"""
import argparse
import json
import time

import timm
import torch
from timm.layers import set_fused_attn
from timm.models.vision_transformer import VisionTransformer

CONFIGS = {
    "tiny4": dict(img_size=32, patch_size=4, embed_dim=192, depth=12, num_heads=3),
    "tiny2": dict(img_size=32, patch_size=2, embed_dim=192, depth=12, num_heads=3),
    "base16": dict(img_size=224, patch_size=16, embed_dim=768, depth=12, num_heads=12),
}
CLASSES = 10
LAYER_DECAY = 0.75
WEIGHT_DECAY = 0.05


def step_flops(c):
    """Multiply-adds as two operations; backward as twice forward; norms and activations left out."""
    patches = (c["img_size"] // c["patch_size"]) ** 2
    tokens, width = patches + 1, c["embed_dim"]
    block = 24 * tokens * width**2 + 4 * tokens**2 * width
    return 3 * (c["depth"] * block + 2 * patches * 3 * c["patch_size"] ** 2 * width)


def groups(model, depth, lr):
    """A group of parameters for each layer and decay: what embeds, the blocks, what comes after them."""
    found = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        layer = int(name.split(".")[1]) + 1 if name.startswith("blocks.") else depth + 1
        if name.startswith(("patch_embed.", "cls_token", "pos_embed")):
            layer = 0
        decay = WEIGHT_DECAY if parameter.ndim > 1 and name not in ("cls_token", "pos_embed") else 0.0
        group = {"params": [], "lr": lr * LAYER_DECAY ** (depth + 1 - layer), "weight_decay": decay}
        found.setdefault((layer, decay), group)["params"].append(parameter)
    return list(found.values())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", choices=CONFIGS, default="tiny4")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    parser.add_argument("--attention", choices=["fused", "written-out"], default="fused")
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(0)
    set_fused_attn(a.attention == "fused")
    config = CONFIGS[a.config]
    model = VisionTransformer(**config, num_classes=CLASSES, global_pool="avg", fc_norm=True)
    model.pos_embed.requires_grad_(False)
    run = torch.compile(model) if a.compile else model
    optimizer = torch.optim.AdamW(groups(model, config["depth"], 1e-4), betas=(0.9, 0.999))
    loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
    images = torch.randn(a.batch, 3, config["img_size"], config["img_size"])
    labels = torch.arange(a.batch) % CLASSES
    times = []
    for _ in range(a.steps + 2):  # two to warm up
        start = time.perf_counter()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=a.precision == "bf16"):
            loss = loss_of(run(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        times.append(time.perf_counter() - start)
    seconds = sorted(times[2:])[a.steps // 2]
    print(json.dumps({
        "system": f"timm {timm.__version__}, pytorch {torch.__version__} {a.attention}" + (" compiled" if a.compile else ""),
        "config": a.config, "batch": a.batch, "precision": a.precision, "threads": a.threads,
        "images_per_second": round(a.batch / seconds, 1),
        "gflops": round(step_flops(config) * a.batch / seconds / 1e9, 1)}))


if __name__ == "__main__":
    main()
