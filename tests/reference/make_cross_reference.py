#!/usr/bin/env python3
"""Makes tests/reference/fixtures/cross.safetensors: a cross-attention decoder, by PyTorch.

    python3 make_cross_reference.py            # writes the fixture
    python3 make_cross_reference.py --check    # recomputes it and compares with the file

The decoder of CrossMAE (Fu et al. 2024, arXiv 2401.14391) without weighted feature maps, image by
image: a mask token with its position for each target asks the encoder's normalised tokens, the
class token among them. Attention is torch.nn.functional.multi_head_attention_forward, of weights of
its own for queries, keys and values. The images of the batch differ in visible and in target
patches; one is all visible, and of some a patch is absent. Tensors as make_fixtures.py says, in
float64 of values that float32 holds; without steps.
"""

import argparse
from pathlib import Path

import torch
from torch.nn import functional

import safetensors_file
from make_fixtures import Case, check_file, model_metadata, random_images
from reference_model import (
    Config,
    Outputs,
    Stack,
    _gelu_by_definition,
    _linear,
    _norm_by_definition,
    _normalise,
    _patches_by_unfold,
    _stack_packed,
    is_frozen,
    random_parameters,
)

CASE = Case(
    Config((8, 12, 2), (4, 3), encoder=Stack(1, 12, 3), decoder=Stack(2, 8, 2)),
    seed=6,
    visible=(1, 3, 8, 5),
    target=(7, 2, 0, 3),
)


def cross_parameters(config, generator):
    """Those of an encoder and of a cross-attention decoder, by their names."""
    parameters = random_parameters(config, generator)
    for name in [n for n in parameters if n.startswith("decoder_embed") or ".attn." in n]:
        if name.startswith("decoder_"):
            del parameters[name]
    inner, outer = config.decoder.width, config.encoder.width
    for i in range(config.decoder.depth):
        for part, outputs, inputs in (
            ("q", inner, inner),
            ("kv", 2 * inner, outer),
            ("proj", inner, inner),
        ):
            name = f"decoder_blocks.{i}.cross_attn.{part}"
            weight = torch.randn((outputs, inputs), generator=generator) * inputs**-0.5
            parameters[f"{name}.weight"] = weight
            parameters[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1
    return parameters


def cross_attention(parameters, name, heads, x, y):
    """x (T, d) asks y (K, D): (T, d), the output projection included."""
    width = x.shape[1]
    key, value = parameters[f"{name}.kv.weight"].split(width)
    bias = torch.cat([parameters[f"{name}.q.bias"], parameters[f"{name}.kv.bias"]])
    return functional.multi_head_attention_forward(
        x[:, None],
        y[:, None],
        y[:, None],
        embed_dim_to_check=width,
        num_heads=heads,
        in_proj_weight=None,
        in_proj_bias=bias,
        bias_k=None,
        bias_v=None,
        add_zero_attn=False,
        dropout_p=0.0,
        out_proj_weight=parameters[f"{name}.proj.weight"],
        out_proj_bias=parameters[f"{name}.proj.bias"],
        need_weights=False,
        use_separate_proj_weight=True,
        q_proj_weight=parameters[f"{name}.q.weight"],
        k_proj_weight=key,
        v_proj_weight=value,
    )[0][:, 0]


def decode(config, parameters, tokens, target):
    """What is predicted of these places: (T, P)."""
    x = parameters["mask_token"][0] + parameters["decoder_pos_embed"][0][1 + target]
    for i in range(config.decoder.depth):
        block = f"decoder_blocks.{i}"
        normed = _norm_by_definition(parameters, f"{block}.norm1", x)
        heads = config.decoder.heads
        x = x + cross_attention(parameters, f"{block}.cross_attn", heads, normed, tokens)
        normed = _norm_by_definition(parameters, f"{block}.norm2", x)
        hidden = _gelu_by_definition(_linear(parameters, f"{block}.mlp.fc1", normed))
        x = x + _linear(parameters, f"{block}.mlp.fc2", hidden)
    return _linear(parameters, "decoder_pred", _norm_by_definition(parameters, "decoder_norm", x))


def forward(config, parameters, images, mask):
    weight = parameters["patch_embed.proj.weight"].permute(0, 2, 3, 1).flatten(1)  # (D, P)
    pos_embed = parameters["pos_embed"][0]
    embedded, latents, preds, pixels = [], [], [], []
    for image, visible, target in zip(images, mask.visible, mask.target):
        patches = _patches_by_unfold(image, config.patch)
        embedded.append(patches @ weight.T + parameters["patch_embed.proj.bias"])
        tokens = embedded[-1][visible] + pos_embed[1 + visible]
        tokens = torch.cat([parameters["cls_token"][0] + pos_embed[:1], tokens])
        tokens = _stack_packed(parameters, "blocks", config.encoder, tokens)
        latents.append(_norm_by_definition(parameters, "norm", tokens))
        if len(target) > 0:
            preds.append(decode(config, parameters, latents[-1], target))
            pixels.append(patches[target])
    pred, pixels = torch.cat(preds), torch.cat(pixels)
    target = _normalise(pixels)
    return Outputs(
        patch_embedding=torch.stack(embedded),
        latent=torch.cat(latents),
        pred=pred,
        target=target,
        loss=(pred - target).square().mean(),
        loss_pixels=(pred - pixels).square().mean(),
    )


def fixture():
    generator = torch.Generator().manual_seed(CASE.seed)
    parameters = cross_parameters(CASE.config, generator)
    noise = torch.rand((len(CASE.visible), CASE.config.patches), generator=generator)
    images = random_images(CASE, noise, generator)
    mask = CASE.mask(noise)
    given = {
        name: value.double().requires_grad_(not is_frozen(name))
        for name, value in parameters.items()
    }
    outputs = forward(CASE.config, given, images.double(), mask)
    outputs.loss.backward()
    return {
        **parameters,
        "input.images": images,
        "input.noise": noise,
        "input.visible_counts": torch.tensor(CASE.visible),
        "input.target_counts": torch.tensor(CASE.target),
        **{f"output.{key}": value for key, value in vars(outputs).items()},
        **{f"grad.{key}": p.grad for key, p in given.items() if not is_frozen(key)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    torch.set_num_threads(1)
    path = Path(__file__).resolve().parent / "fixtures" / "cross.safetensors"
    tensors, metadata = fixture(), model_metadata(CASE)
    if check:
        check_file(path, tensors, metadata)
    else:
        safetensors_file.save(path, tensors, metadata)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
