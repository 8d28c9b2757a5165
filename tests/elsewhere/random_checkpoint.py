"""Random models in files, without any library but numpy."""

import json
import struct

import numpy


def write_safetensors(path, tensors, metadata):
    header, at = {"__metadata__": metadata}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + tensor.nbytes]}
        at += tensor.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.tobytes())


def encoder(path, *, image, patch, depth, width, heads, hidden, epsilon, norm="norm", pixels=None, seed=0):
    """Writes an encoder of images (H, W, C): weights, biases, norms and positions are all random.
    `hidden` is (numerator, denominator) of the MLP's ratio, `pixels` (mean, deviation) of each channel."""
    random = numpy.random.default_rng(seed)
    height, wide, channels = image
    patches = (height // patch[0]) * (wide // patch[1])
    inner = width * hidden[0] // hidden[1]

    def normal(*shape, scale=1.0, mean=0.0):
        return (mean + scale * random.standard_normal(shape)).astype(numpy.float32)

    tensors = {"cls_token": normal(1, 1, width), "pos_embed": normal(1, patches + 1, width)}

    def linear(name, out, into, *shape):
        tensors[name + ".weight"] = normal(out, *(shape or (into,)), scale=into ** -0.5)
        tensors[name + ".bias"] = normal(out, scale=0.2)

    def norm_of(name):
        tensors[name + ".weight"] = normal(width, scale=0.2, mean=1)
        tensors[name + ".bias"] = normal(width, scale=0.2)

    linear("patch_embed.proj", width, channels * patch[0] * patch[1], channels, *patch)
    for block in (f"blocks.{i}." for i in range(depth)):
        norm_of(block + "norm1")
        linear(block + "attn.qkv", 3 * width, width)
        linear(block + "attn.proj", width, width)
        norm_of(block + "norm2")
        linear(block + "mlp.fc1", inner, width)
        linear(block + "mlp.fc2", width, inner)
    norm_of(norm)
    metadata = {"image_height": height, "image_width": wide, "image_channels": channels,
                "patch_height": patch[0], "patch_width": patch[1], "encoder_depth": depth,
                "encoder_width": width, "encoder_heads": heads, "norm_epsilon": epsilon,
                "encoder_mlp_ratio": f"{hidden[0]}/{hidden[1]}", "contents": "encoder"}
    if pixels:
        metadata |= {"pixel_mean": " ".join(map(str, pixels[0])), "pixel_scale": 1 / 255,
                     "pixel_deviation": " ".join(map(str, pixels[1]))}
    write_safetensors(path, tensors, {name: str(value) for name, value in metadata.items()})


CIFAR = ([0.49, 0.48, 0.45], [0.25, 0.24, 0.26])
CASES = {
    "tiny4": dict(image=(32, 32, 3), patch=(4, 4), depth=12, width=192, heads=3, hidden=(4, 1),
                  epsilon=1e-6, pixels=CIFAR),
    "odd": dict(image=(10, 21, 5), patch=(5, 3), depth=3, width=36, heads=3, hidden=(5, 2), epsilon=0.01,
                pixels=([0, 0.1, 0.2, 0.3, 0.4], [1, 0.5, 2, 0.25, 0.125])),
    "grey": dict(image=(8, 12, 1), patch=(4, 2), depth=1, width=16, heads=16, hidden=(1, 1), epsilon=1e-12),
    "pooled norm": dict(image=(16, 8, 3), patch=(4, 4), depth=2, width=24, heads=2, hidden=(4, 1), epsilon=1e-5,
                        norm="fc_norm"),
}
