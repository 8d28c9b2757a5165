#!/usr/bin/env python3
"""Makes tests/reference/fixtures/timm_pooled.safetensors: timm's classifier by the mean of patch tokens.

    python3 make_timm_reference.py

Needs torch and timm (1.0.31 made the file). With global_pool='avg' timm's VisionTransformer has no final
norm, but one of the mean (fc_norm), as the official fine-tuning. Computed in float64 from values that
float32 holds exactly. The file holds the parameters under their names, and with B images of K classes

    input.images (B, H, W, C)   as the network sees them
    input.classes (B) I32
    output.scores (B, K)
    output.loss ()              the mean cross entropy with label smoothing
    grad.<name>                 of output.loss
"""

from pathlib import Path

import torch
from timm.models.vision_transformer import VisionTransformer
from torch.nn import functional

import safetensors_file

IMAGES, CLASSES, SMOOTHING = 3, 4, 0.1
SIZES = {"image_height": 9, "image_width": 12, "image_channels": 3, "patch_height": 3, "patch_width": 3,
         "encoder_depth": 2, "encoder_width": 8, "encoder_heads": 2,
         "decoder_depth": 1, "decoder_width": 8, "decoder_heads": 2}


def main():
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(6)
    model = VisionTransformer(img_size=(9, 12), patch_size=3, embed_dim=8, depth=2, num_heads=2,
                              num_classes=CLASSES, global_pool="avg")
    assert isinstance(model.norm, torch.nn.Identity)
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        is_norm = "norm" in name and name.endswith("weight")
        value.data = 1 + 0.2 * noise if is_norm else 0.3 * noise
    model.double()
    images = torch.randn((IMAGES, 3, 9, 12), generator=generator)
    classes = torch.randint(CLASSES, (IMAGES,), generator=generator)
    scores = model(images.double())
    loss = functional.cross_entropy(scores, classes, label_smoothing=SMOOTHING)
    loss.backward()
    tensors = {name: value.float() for name, value in model.state_dict().items()}
    tensors |= {"input.images": images.permute(0, 2, 3, 1), "input.classes": classes.int(),
                "output.scores": scores.float(), "output.loss": loss.float()}
    tensors |= {f"grad.{name}": value.grad.float() for name, value in model.named_parameters()}
    facts = {**SIZES, "norm_epsilon": model.fc_norm.eps, "smoothing": SMOOTHING}
    safetensors_file.save(Path(__file__).resolve().parent / "fixtures" / "timm_pooled.safetensors",
                          tensors, {name: str(value) for name, value in facts.items()})


if __name__ == "__main__":
    main()
