#!/usr/bin/env python3
"""Makes tests/tools/fixtures: checkpoints whose folders say how pictures become their input, pictures,
and the features that timm and transformers find in them.

    make_described_fixtures.py    (timm 1.0.31, transformers 5.24.0, Pillow 13.0.0, PyTorch 2.15)

A feature is the mean of the patches' tokens after the final norm; rows in the order of the names.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.data import create_transform
from timm.models import save_for_hf
from transformers import AutoImageProcessor, ViTMAEConfig, ViTMAEModel

FOLDER = Path(__file__).resolve().parent / "fixtures"

# What preprocessor_config.json may say of the same model, whose images are 32x32.
ALL = {"do_normalize": True, "do_rescale": True, "do_resize": True, "rescale_factor": 1 / 255,
       "image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
CROPPED = {"image_processor_type": "BitImageProcessor", "do_center_crop": True, "resample": 3,
           "crop_size": {"height": 32, "width": 32}}
PROCESSORS = {
    "bytes": {**ALL, "do_rescale": False, "resample": 2, "image_mean": [123.675, 116.28, 103.53],
              "image_std": [58.395, 57.12, 57.375]},
    "stretch": {**ALL, "resample": 2, "image_mean": 0.5, "image_std": 0.5},
    "bicubic": {**ALL, "resample": 3, **IMAGENET},
    "silent": {"image_processor_type": "ViTImageProcessor", "size": 32},
    "plain": {**ALL, "do_normalize": False, "resample": 3},
    "other_factor": {**ALL, "rescale_factor": 1 / 127.5, "image_mean": 1.0, "image_std": 1.0},
    "edge": {**ALL, **IMAGENET, **CROPPED, "size": {"shortest_edge": 40}},
    "both_sides": {**ALL, **IMAGENET, **CROPPED, "size": {"height": 36, "width": 48},
                   "image_processor_type": "ViTImageProcessor"},
}


def smooth_picture(generator, height, width):
    coarse = torch.rand((1, 3, 5, 6), generator=generator)
    image = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic")
    return (image[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def save_pictures(folder, generator, sizes):
    """In a part `train`, beside which `test` has one."""
    for part, of_part in (("train", sizes), ("test", sizes[:1])):
        (folder / part).mkdir(parents=True)
        for i, (height, width) in enumerate(of_part):
            picture = Image.fromarray(smooth_picture(generator, height, width))
            picture.save(folder / part / f"{i}.png")
    return sorted((folder / "train").glob("*.png"))


def randomise(model, generator):
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        is_norm = "norm" in name and name.endswith("weight")
        value.data = 1 + 0.2 * noise if is_norm else noise * max(value[0].numel(), 4) ** -0.5


def make_timm(generator):
    arguments = dict(img_size=(16, 32), patch_size=8, embed_dim=48, depth=1, num_heads=12)
    model = timm.create_model("vit_tiny_patch16_224", num_classes=0, **arguments).eval()
    randomise(model, generator)
    save_for_hf(model, FOLDER / "timm", model_args=arguments, safe_serialization=True)
    config = json.loads((FOLDER / "timm" / "config.json").read_text())["pretrained_cfg"]
    names = ("input_size", "interpolation", "mean", "std", "crop_pct", "crop_mode")
    transform = create_transform(**{name: config[name] for name in names})
    exact = save_pictures(FOLDER / "timm_pictures", generator, [(16, 32)] * 3)
    photographs = save_pictures(FOLDER / "timm_photographs", generator,
                                [(50, 70), (90, 60), (41, 41)])

    def features(paths, prepare):
        images = torch.stack([prepare(Image.open(path)) for path in paths])
        with torch.inference_mode():
            return model.forward_features(images)[:, 1:].mean(1)

    def as_they_are(mean, std):
        mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (mean, std))
        return lambda image: (torch.tensor(np.array(image)).permute(2, 0, 1) / 255 - mean) / std

    half = as_they_are(config["mean"], config["std"])
    imagenet = as_they_are(*IMAGENET.values())
    save_file({"exact": features(exact, half), "exact.imagenet": features(exact, imagenet),
               "exact.cut": features(exact, transform), "photographs": features(photographs, transform)},
              FOLDER / "timm.expected.safetensors")


def make_huggingface(generator):
    folder = FOLDER / "vit_mae"
    config = ViTMAEConfig(image_size=32, patch_size=8, hidden_size=24, num_hidden_layers=1,
                          num_attention_heads=3, intermediate_size=48, layer_norm_eps=1e-6,
                          mask_ratio=0.0)
    model = ViTMAEModel(config).eval()
    randomise(model, generator)
    model.save_pretrained(folder)
    squares = save_pictures(FOLDER / "squares", generator, [(32, 32)] * 3)
    shapes = save_pictures(FOLDER / "shapes", generator, [(48, 80), (100, 64), (37, 61)])
    noise = torch.arange(16).float().expand(3, -1)
    expected = {}
    for name, says in PROCESSORS.items():
        text = json.dumps(says, indent=1, sort_keys=True) + "\n"
        (folder / f"{name}.json").write_text(text)
        (folder / "preprocessor_config.json").write_text(text)
        processor = AutoImageProcessor.from_pretrained(folder)
        for what, paths in (("squares", squares), ("shapes", shapes)):
            pixels = processor([Image.open(path) for path in paths], return_tensors="pt")
            with torch.inference_mode():
                tokens = model(pixels["pixel_values"], noise=noise).last_hidden_state
            expected[f"{name}.{what}"] = tokens[:, 1:].mean(1)
    (folder / "preprocessor_config.json").unlink()
    save_file(expected, FOLDER / "vit_mae.expected.safetensors")


def main():
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    generator = torch.Generator().manual_seed(1)
    make_timm(generator)
    make_huggingface(generator)


if __name__ == "__main__":
    main()
