"""Prints tests/objective/objective_reference.hpp: a painter's targets as other libraries see them.

    python3 tests/reference/make_objective_reference.py > tests/objective/objective_reference.hpp

Needs scikit-image, PyTorch and NumPy. Pixels are multiples of 1/256, which are exact in any type,
so that no direction falls into another bin by rounding. MaskFeat's histograms follow mmpretrain's
equations (mmpretrain/models/selfsup/maskfeat.py, HOGGenerator), written out in double; its
unfolding, which is right for 14 x 14 patches alone, is replaced by one for any grid.
"""

import numpy as np
import torch
from skimage.feature import hog


def array(name, comment, values):
    flat = np.asarray(values, dtype=np.float64).ravel()
    print(f"/// {comment}")
    print(f"inline constexpr std::array<double, {flat.size}> {name} = {{")
    for start in range(0, flat.size, 6):
        print("    " + ", ".join(f"{v:.9g}" for v in flat[start : start + 6]) + ",")
    print("};\n")


def image(height, width, channels):
    """The same as pixels_of in the tests: (H, W, C)."""
    numbers = np.arange(height * width * channels, dtype=np.uint64)
    noise = (numbers * np.uint64(2654435761)) % np.uint64(2**32) >> np.uint64(24)
    return (noise.astype(np.float64) / 256).reshape(height, width, channels)


def plain(pixels, patch, cell, bins):
    """(N, C * bins * cells): scikit-image's, one channel after the other."""
    height, width, channels = pixels.shape
    planes = [
        hog(pixels[..., c], orientations=bins, pixels_per_cell=(cell, cell), cells_per_block=(1, 1),
            block_norm="L2", feature_vector=False).reshape(height // cell, width // cell, bins)
        for c in range(channels)
    ]
    return by_patches(np.stack(planes), patch, cell)


def by_patches(histograms, patch, cell):
    """(C, rows, columns, bins) of cells to (N, C * bins * cells of a patch)."""
    channels, rows, columns, bins = histograms.shape
    high, wide = patch[0] // cell, patch[1] // cell
    cut = histograms.reshape(channels, rows // high, high, columns // wide, wide, bins)
    return cut.transpose(1, 3, 0, 5, 2, 4).reshape(rows // high * (columns // wide), -1)


def maskfeat(pixels, patch, cell, bins):
    x = torch.tensor(pixels).permute(2, 0, 1)[:, None]  # (C, 1, H, W)
    weight = torch.tensor([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]], dtype=torch.float64)[None, None]
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="reflect")
    gx = torch.nn.functional.conv2d(padded, weight)
    gy = torch.nn.functional.conv2d(padded, weight.transpose(2, 3))
    norm = torch.stack([gx, gy]).norm(dim=0)
    phase = torch.atan2(gx, gy) / np.pi * bins

    def window(size):  # scipy.signal.windows.gaussian(size, size / 2)
        n = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
        return torch.exp(-(n**2) / (2 * (size / 2) ** 2))

    kernel = torch.outer(window(patch[0]), window(patch[1]))
    kernel = kernel / kernel.sum()
    norm = norm * kernel.repeat(x.shape[2] // patch[0], x.shape[3] // patch[1])
    out = torch.zeros(x.shape[0], bins, *x.shape[2:], dtype=torch.float64)
    out.scatter_add_(1, phase.floor().long() % bins, norm)
    out = out.unfold(2, cell, cell).unfold(3, cell, cell).sum(dim=[-1, -2])
    out = torch.nn.functional.normalize(out, p=2, dim=1)
    return by_patches(out.permute(0, 2, 3, 1).numpy(), patch, cell)


print("// Written by tests/reference/make_objective_reference.py.")
print("#pragma once\n\n#include <array>\n\n// clang-format off\nnamespace objective_reference {\n")
array("hog_plain", "8 x 12 x 2, patches 4 x 6, cells 2, 9 bins: (N 4, 108).",
      plain(image(8, 12, 2), (4, 6), 2, 9))
array("hog_plain_8_bins", "6 x 9 x 1, patches 3 x 3, cells 3, 8 bins: (N 6, 8).",
      plain(image(6, 9, 1), (3, 3), 3, 8))
array("hog_maskfeat", "32 x 16 x 3, patches 16 x 16, cells 8, 9 bins: (N 2, 108).",
      maskfeat(image(32, 16, 3), (16, 16), 8, 9))
array("hog_maskfeat_oblong", "8 x 12 x 2, patches 4 x 6, cells 2, 9 bins: (N 4, 108).",
      maskfeat(image(8, 12, 2), (4, 6), 2, 9))
for height, width, channels in ((4, 6, 2), (5, 3, 1), (1, 4, 3)):
    pixels = image(height, width, channels)
    array(f"fourier_{height}x{width}",
          f"numpy.fft.rfft2 of {height} x {width} pixels, {channels} channels: (C, h, w / 2 + 1).",
          np.abs(np.fft.rfft2(pixels, axes=(0, 1), norm="ortho")).transpose(2, 0, 1))
patches = image(40, 3, 2).reshape(40, 6).astype(np.float64) * np.array([3, 1, 2, 1.5, 0.5, 1])
values, vectors = np.linalg.eigh(np.cov(patches.T))
values, vectors = values[::-1], vectors.T[::-1]
vectors = vectors * np.sign(vectors[np.arange(6), np.abs(vectors).argmax(axis=1)])[:, None]
array("principal_mean", "Of 40 patches of 6 values: (6).", patches.mean(axis=0))
array("principal_variances", "The eigenvalues of numpy.cov: (6).", values)
array("principal_components", "Its eigenvectors but the first two: (4, 6).", vectors[2:])
array("principal_targets", "(40, 4).",
      (patches - patches.mean(axis=0)) @ vectors[2:].T / np.sqrt(values[2:].mean()))
print("}  // namespace objective_reference")
