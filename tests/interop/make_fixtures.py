#!/usr/bin/env python3
"""Makes the fixtures that prove parity with Hugging Face's ViTMAE: tests/interop/fixtures.

    python3 make_fixtures.py

Needs torch, transformers (5.24 made the files) and safetensors. For each case a folder holds what
that library saves (config.json and tensors), `gradients.safetensors` with the names that its version
5 has in memory, and `expected.safetensors`, in float32, computed in float64:

    input.images (B, H, W, C)      as the network sees them
    input.noise (B, N)             the lowest `visible` patches of an image are seen
    input.visible_counts (B) I32, input.target_counts (B) I32
    output.latent (R, D)           hidden states of an image in ascending position (ViTMAE gives them
                                   in the order of the noise), the class token first
    output.pred (T, P)             logits of the hidden patches, ascending
    output.mask (B, N)             1 where hidden
    output.loss ()
    output.tokens (B (N + 1), D)   hidden states of whole images
    larger.images, larger.tokens   the same of images of 18 x 18 pixels, with the encoder's
                                   interpolate_pos_encoding

The cases: `rgb`, targets normalised, the hub's names, two shards and their index; `grey`, plain
pixels, one channel, what version 5 saves ("decoder.decoder_encoder.layer", which no other version
writes or needs: both names load); `five`, five channels, patches of 2 x 2, the hub's names in one
file. `grey_f16` and `grey_bf16` hold the tensors of `grey` in these types, and
`positions.safetensors` tables of positions that PyTorch resampled in two dimensions.

A model built from a config ends with mask_token and decoder_pos_embed at zero, because _init_weights
runs after initialize_weights: both are set here, as everything else is, to values that hide no path.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional
from transformers import ViTMAEConfig, ViTMAEForPreTraining

FOLDER = Path(__file__).resolve().parent / "fixtures"
IMAGES = 2


@dataclass(frozen=True)
class Case:
    name: str
    seed: int
    mask_ratio: float
    saved_by_version5: bool = False
    shards: int = 1
    config: dict = field(default_factory=dict)


CASES = (
    Case(
        "rgb",
        seed=1,
        mask_ratio=0.75,
        shards=2,
        config=dict(image_size=12, patch_size=3, num_channels=3, norm_pix_loss=True,
                    hidden_size=16, num_hidden_layers=3, num_attention_heads=2,
                    intermediate_size=64, decoder_hidden_size=8, decoder_num_hidden_layers=1,
                    decoder_num_attention_heads=2, decoder_intermediate_size=32),
    ),
    Case(
        "grey",
        seed=2,
        mask_ratio=0.5,
        saved_by_version5=True,
        config=dict(image_size=32, patch_size=16, num_channels=1, norm_pix_loss=False,
                    hidden_size=12, num_hidden_layers=1, num_attention_heads=3,
                    intermediate_size=30, decoder_hidden_size=8, decoder_num_hidden_layers=3,
                    decoder_num_attention_heads=1, decoder_intermediate_size=32),
    ),
    Case(
        "five",
        seed=3,
        mask_ratio=0.6,
        config=dict(image_size=8, patch_size=2, num_channels=5, norm_pix_loss=True,
                    hidden_size=16, num_hidden_layers=1, num_attention_heads=4,
                    intermediate_size=64, decoder_hidden_size=8, decoder_num_hidden_layers=1,
                    decoder_num_attention_heads=2, decoder_intermediate_size=16,
                    layer_norm_eps=1e-6),
    ),
)


def make_model(case, generator):
    model = ViTMAEForPreTraining(ViTMAEConfig(mask_ratio=case.mask_ratio, **case.config)).eval()
    for name, value in model.named_parameters():
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("layernorm_before.weight") or "norm" in name and name.endswith("weight"):
            value.data = 1 + 0.2 * noise
        elif value.dim() > 1 and "embeddings" not in name and "token" not in name and "pos" not in name:
            value.data = noise * value[0].numel() ** -0.5
        elif "projection.weight" in name:
            value.data = noise * value[0].numel() ** -0.5
        elif "pos" in name:
            value.data += 0.05 * noise  # other tables than the library's own must be kept
        else:
            value.data = 0.1 * noise
    return model


def save_model(case, folder, model):
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = load_file(path)
    if not case.saved_by_version5:
        tensors = {k.replace("decoder_encoder.layer", "decoder_layers"): v for k, v in tensors.items()}
    path.unlink()
    if case.shards == 1:
        save_file(tensors, path, metadata={"format": "pt"})
        return
    weight_map, names = {}, sorted(tensors)
    for i in range(case.shards):
        shard = f"model-{i + 1:05}-of-{case.shards:05}.safetensors"
        mine = names[i :: case.shards]
        save_file({k: tensors[k] for k in mine}, folder / shard, metadata={"format": "pt"})
        weight_map.update({k: shard for k in mine})
    size = sum(v.numel() * 4 for v in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def whole_tokens(model, images):
    """Hidden states of all patches: with a mask ratio of 0 and ascending noise nothing moves."""
    ratio, model.config.mask_ratio = model.config.mask_ratio, 0.0
    patches = images.shape[2] * images.shape[3] // model.config.patch_size**2
    noise = torch.arange(patches).double().expand(len(images), -1)
    larger = images.shape[2] != model.config.image_size
    out = model.vit(images, noise=noise, interpolate_pos_encoding=larger).last_hidden_state
    model.config.mask_ratio = ratio
    return out


def expected(case, model, generator):
    config = model.config
    shape = (IMAGES, config.num_channels, config.image_size, config.image_size)
    images = torch.randn(shape, generator=generator).double()
    patches = (config.image_size // config.patch_size) ** 2
    noise = torch.rand((IMAGES, patches), generator=generator).double()
    model = model.double()
    out = model(images, noise=noise)
    out.loss.backward()
    visible = int(patches * (1 - case.mask_ratio))
    latent = model.vit(images, noise=noise).last_hidden_state
    ascending = torch.argsort(torch.argsort(noise, dim=1)[:, :visible], dim=1) + 1
    rows = functional.pad(ascending, (1, 0))
    latent = torch.gather(latent, 1, rows[:, :, None].expand(-1, -1, latent.shape[2]))
    tensors = {
        "input.images": images.permute(0, 2, 3, 1),
        "input.noise": noise,
        "input.visible_counts": torch.full((IMAGES,), visible, dtype=torch.int32),
        "input.target_counts": torch.full((IMAGES,), patches - visible, dtype=torch.int32),
        "output.latent": latent.flatten(0, 1),
        "output.pred": out.logits[out.mask.bool()],
        "output.mask": out.mask,
        "output.loss": out.loss,
        "output.tokens": whole_tokens(model, images).flatten(0, 1),
    }
    if case.name == "rgb":
        larger = torch.randn((IMAGES, 3, 18, 18), generator=generator).double()
        tensors["larger.images"] = larger.permute(0, 2, 3, 1)
        tensors["larger.tokens"] = whole_tokens(model, larger).flatten(0, 1)
    gradients = {
        name: torch.zeros_like(p) if p.grad is None else p.grad
        for name, p in model.named_parameters()
    }
    return tensors, gradients


def metadata(config):
    both = {}
    for stack, prefix in (("encoder", ""), ("decoder", "decoder_")):
        both[f"{stack}_depth"] = getattr(config, f"{prefix}num_hidden_layers")
        both[f"{stack}_width"] = getattr(config, f"{prefix}hidden_size")
        both[f"{stack}_heads"] = getattr(config, f"{prefix}num_attention_heads")
    for side in ("height", "width"):
        both[f"image_{side}"] = config.image_size
        both[f"patch_{side}"] = config.patch_size
    both.update(image_channels=config.num_channels, norm_epsilon=config.layer_norm_eps,
                target_epsilon=1e-6)
    return {key: str(value) for key, value in both.items()}


def save_floats(path, tensors, **kwargs):
    save_file(
        {k: v.detach().contiguous() if v.dtype == torch.int32 else v.detach().float().contiguous()
         for k, v in tensors.items()},
        path, **kwargs)


def resampled_positions():
    """A table (1 + 4 * 5, 8) for other grids, as an image of 8 channels."""
    generator = torch.Generator().manual_seed(4)
    table = torch.randn((21, 8), generator=generator).double()
    tensors = {"from.4x5": table}
    for rows, columns in ((6, 3), (2, 11), (8, 10), (4, 5)):
        image = table[1:].reshape(1, 4, 5, 8).permute(0, 3, 1, 2)
        image = functional.interpolate(image, (rows, columns), mode="bicubic", align_corners=False)
        tensors[f"to.{rows}x{columns}"] = torch.cat([table[:1], image[0].flatten(1).T])
    save_floats(FOLDER / "positions.safetensors", tensors)


def main():
    torch.set_num_threads(1)
    for case in CASES:
        generator = torch.Generator().manual_seed(case.seed)
        folder = FOLDER / case.name
        folder.mkdir(parents=True, exist_ok=True)
        model = make_model(case, generator)
        save_model(case, folder, model)
        if case.name == "grey":
            for name, dtype in (("f16", torch.float16), ("bf16", torch.bfloat16)):
                other = FOLDER / f"grey_{name}"
                other.mkdir(exist_ok=True)
                tensors = load_file(folder / "model.safetensors")
                save_file({k: v.to(dtype) for k, v in tensors.items()},
                          other / "model.safetensors", metadata={"format": "pt"})
                (other / "config.json").write_text((folder / "config.json").read_text())
        tensors, gradients = expected(case, model, generator)
        save_floats(folder / "expected.safetensors", tensors, metadata=metadata(model.config))
        save_floats(folder / "gradients.safetensors", gradients, metadata={"format": "pt"})
    resampled_positions()


if __name__ == "__main__":
    main()
