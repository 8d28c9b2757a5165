#!/usr/bin/env python3
"""Loads what mae_convert writes into transformers and timm, which must compute what they computed
before (tests/interop/fixtures).

    check_with_python.py MAE_CONVERT SCRATCH_FOLDER

What it says to do about a pickle is done, too.

Says so and exits with 77 where a library is missing.
"""

import argparse
import functools
import json
import shutil
import subprocess
import sys
from pathlib import Path

try:
    import timm
    import torch
    from safetensors.torch import load_file
    from transformers import ViTConfig, ViTMAEConfig, ViTMAEForPreTraining, ViTMAEModel, ViTModel
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


def check_vit(name, folder, expected):
    """A plain ViT, of images that are not square."""
    model = ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        tokens = model(expected["images"].permute(0, 3, 1, 2)).last_hidden_state
    expect_close(f"{name}: ViTModel's tokens", tokens.flatten(0, 1), expected["tokens"])


def check_floats(folder):
    """Every float of a config.json has the type that transformers checks, also where it is whole."""
    text = (folder / "config.json").read_text()
    types = {name: kind for config in (ViTConfig, ViTMAEConfig)
             for name, kind in config.__annotations__.items()}
    for name, value in json.loads(text).items():
        if types.get(name) is float and not isinstance(value, float):
            sys.exit(f"{folder}: {name} is {value!r}, no float")


def check_whole_floats(converted, scratch):
    """A mask ratio of 0, an epsilon of 1."""
    source = scratch / "whole"
    shutil.copytree(FIXTURES / "rgb", source)
    config = json.loads((source / "config.json").read_text())
    config.update(mask_ratio=0.0, layer_norm_eps=1.0)
    (source / "config.json").write_text(json.dumps(config))
    folder = converted(source, "huggingface")
    check_floats(folder)
    found = ViTMAEForPreTraining.from_pretrained(folder).config
    if (found.mask_ratio, found.layer_norm_eps) != (0.0, 1.0):
        sys.exit(f"{folder}: other numbers than were written")
    print("whole floats: read by transformers' strict types")


def check_pickles(convert, scratch):
    """The command in the message makes a file of the same values of every kind of pickle."""
    tensors = load_file(FIXTURES / "vit_classifier" / "model.safetensors")
    shared = {**tensors, "classifier.weight": tensors["classifier.weight"].t().contiguous().t()}
    names = sorted(shared)
    training = {"model": shared, "args": argparse.Namespace(lr=0.1), "epoch": 3}
    cases = {
        "it's a file.pth": {"it's a file.pth": training},
        "legacy.pth": {"legacy.pth": shared},
        "bin": {"bin/pytorch_model.bin": shared},
        "shards": {"shards/pytorch_model-00001-of-00002.bin": {k: shared[k] for k in names[::2]},
                   "shards/pytorch_model-00002-of-00002.bin": {k: shared[k] for k in names[1::2]}},
    }
    for given, files in cases.items():
        model = scratch / given
        for name, value in files.items():
            path = scratch / name
            path.parent.mkdir(exist_ok=True)
            torch.save(value, path, _use_new_zipfile_serialization=name != "legacy.pth")
        refused = subprocess.run([convert, "--model", model, "--describe"], capture_output=True,
                                 text=True)
        if refused.returncode != 1 or "this is a pickle of PyTorch" not in refused.stderr:
            sys.exit(f"{given}: not refused as a pickle: {refused.stderr}")
        command = refused.stderr[refused.stderr.index("python3 -c"):].strip()
        subprocess.run(command.replace("python3", f"'{sys.executable}'", 1), shell=True, check=True)
        made = model / "model.safetensors" if model.is_dir() else model.with_suffix(".safetensors")
        found = load_file(made)
        if sorted(found) != names or any(not torch.equal(found[k], shared[k]) for k in names):
            sys.exit(f"{given}: other tensors than were pickled")
        subprocess.run([convert, "--model", made, "--heads", "3", "--describe"], check=True,
                       stdout=subprocess.DEVNULL)
    print("pickles: the commands work")


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
        check_floats(scratch / f"{official.name}-huggingface")
        if name == "rgb":
            check_timm(name, converted(official, "timm"), expected)
    for name in ("vit", "vit_classifier"):
        expected = load_file(FIXTURES / name / "expected.safetensors")
        folder = converted(converted(FIXTURES / name, "official"), "huggingface")
        check_vit(name, folder, expected)
        check_floats(folder)
    check_whole_floats(converted, scratch)
    check_pickles(convert, scratch)


if __name__ == "__main__":
    main()
