#!/usr/bin/env bash
# A ViTMAE that transformers makes from a configuration has no positions: both tables are zero, and frozen.
#
# Version: transformers 5.24.0 with torch 2.15.0
#
# The paper's code fills both tables with sines and cosines, which are not trained. Here they are zeros, and
# requires_grad is False, so that no training fills them either. The decoder's input for every hidden patch is then the
# same mask token: a model that is made so predicts one and the same patch for all hidden places of an image. No warning
# is given. Checkpoints are not concerned, since their tables are loaded. Seen: spread over hidden patches 0 as made,
# 0.32 with tables of sines and cosines.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.15.0 transformers==5.24.0 numpy

"$folder/venv/bin/python" - << 'CHECK'
import torch
from transformers import ViTMAEConfig, ViTMAEForPreTraining

torch.manual_seed(0)
config = ViTMAEConfig(
    image_size=32, patch_size=8, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
    decoder_hidden_size=16, decoder_num_hidden_layers=2, decoder_num_attention_heads=2, decoder_intermediate_size=32)
model = ViTMAEForPreTraining(config).eval()
tables = (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed)
images = torch.randn(1, 3, 32, 32)


def spread_over_hidden_patches():
    """How far the predictions of an image's hidden patches are apart."""
    with torch.no_grad():
        out = model(pixel_values=images, noise=torch.rand(1, 16, generator=torch.Generator().manual_seed(1)))
    hidden = out.logits[0][out.mask[0] == 1]
    return (hidden - hidden[0]).abs().max().item()


for table in tables:
    assert table.abs().max() == 0 and not table.requires_grad, "a table is filled or trained now"
blind = spread_over_hidden_patches()
for table in tables:
    rows, width = table.shape[1:]
    angles = torch.arange(rows)[:, None] / 10000 ** (torch.arange(width // 2) / (width // 2))
    table.data[0] = torch.cat([angles.sin(), angles.cos()], dim=1)
seeing = spread_over_hidden_patches()
print(f"spread over hidden patches: {blind:.2g} as made, {seeing:.2g} with sines and cosines")
assert blind < 1e-5 and seeing > 1e-2, "the behaviour has changed"
CHECK
