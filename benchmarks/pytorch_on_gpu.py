#!/usr/bin/env python3
"""Times training steps of pytorch_mae.py's model on a GPU, to set beside cuda_step_speed. Prints one
JSON line.

    pytorch_on_gpu.py --config tiny4 --batch 4096 --precision bf16 --compile
"""
import argparse
import json
import time
import types

import torch

import pytorch_mae


def torch_on(device):
    """torch whose rand and ones are there by themselves: compiled, they heed no default device. What
    else a model makes without a device must take it from its arguments."""
    module = types.ModuleType("torch")
    module.__dict__.update(vars(torch))
    module.rand = lambda *shape, **how: torch.rand(*shape, **{"device": device, **how})
    module.ones = lambda *shape, **how: torch.ones(*shape, **{"device": device, **how})
    return module


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", default="tiny4")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="bf16")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--compile", action="store_true", help="through torch.compile")
    pytorch_mae.add_attention(parser)
    chosen = parser.parse_args()
    attention = pytorch_mae.choose_attention(parser, chosen.attention)
    pytorch_mae.torch = torch_on("cuda")
    torch.set_default_device("cuda")
    torch.manual_seed(0)
    torch.backends.cuda.matmul.allow_tf32 = chosen.precision == "tf32"
    torch.backends.cudnn.allow_tf32 = chosen.precision == "tf32"
    config = pytorch_mae.CONFIGS[chosen.config]
    model = pytorch_mae.MaskedAutoencoder(**config)
    run = torch.compile(model) if chosen.compile else model
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.05},
         {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0}],
        lr=1e-4, betas=(0.9, 0.95), fused=True)
    images = torch.randn(chosen.batch, 3, config["image"], config["image"])
    times = []
    for _ in range(chosen.steps + 5):  # five warm up
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.autocast("cuda", dtype=torch.bfloat16, enabled=chosen.precision == "bf16"):
            loss = run(images)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    seconds = sorted(times[5:])[chosen.steps // 2]
    print(json.dumps({
        "system": f"pytorch {torch.__version__} {attention}" + (" compiled" if chosen.compile else ""),
        "config": chosen.config, "batch": chosen.batch, "precision": chosen.precision,
        "images_per_second": round(chosen.batch / seconds, 1),
        "gflops": round(pytorch_mae.step_flops(config) * chosen.batch / seconds / 1e9, 1)}))


if __name__ == "__main__":
    main()
