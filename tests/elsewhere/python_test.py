#!/usr/bin/env python3
"""The module mae of python/: features of pictures as mae_features writes them, and what it refuses.

    python_test.py MAE_FEATURES SCRATCH_FOLDER      (PYTHONPATH, MAE_LIBRARY where it is not installed)

Says so and exits with 77 without numpy.
"""

import concurrent.futures
import subprocess
import sys
from pathlib import Path

try:
    import numpy
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

import mae
import random_checkpoint

FIXTURES = Path(__file__).resolve().parent.parent / "interop" / "fixtures"


def write_picture(path, pixels):
    """A PNG of 8-bit RGB, without a library."""
    import struct
    import zlib

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
                     chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def refuses(kind, text, call, *arguments, **more):
    try:
        call(*arguments, **more)
    except mae.Error as error:
        assert isinstance(error, kind) and text in str(error), repr(error)
    else:
        raise AssertionError(f"nothing was refused where '{text}' should be said")


def check_features(program, folder):
    model = folder / "tiny4.safetensors"
    random_checkpoint.encoder(model, **random_checkpoint.CASES["tiny4"])
    pictures = folder / "pictures"
    pictures.mkdir(exist_ok=True)
    pixels = numpy.random.default_rng(5).integers(0, 256, (5, 32, 32, 3), numpy.uint8)
    for i, picture in enumerate(pixels):
        write_picture(pictures / f"{i}.png", picture)
    encoder = mae.Encoder(model)
    assert encoder.notes == () and encoder.entry("encoder_heads") == "3" and encoder.entry("mask") is None
    assert encoder.sizes.width == 192 and encoder.sizes.patches == 64
    images = pixels.astype(numpy.float32) / 255
    for pool in ("mean", "class", "both"):
        out = folder / "features.npy"
        subprocess.run([program, "--model", model, "--data", pictures, "--out", out, "--pool", pool], check=True,
                       stdout=subprocess.DEVNULL)
        theirs, ours = numpy.load(out), encoder.features(images, pool)
        assert ours.dtype == numpy.float32 and ours.shape == theirs.shape
        difference = float(abs(ours - theirs).max() / abs(theirs).max())
        print(f"{pool}: within {difference:.2g} of mae_features")
        assert difference < 1e-6
    assert numpy.array_equal(encoder.features(images[::2]), encoder.features(images)[::2])  # not contiguous
    assert encoder.tokens(images).shape == (5, 65, 192) and encoder.features(images[:0]).shape == (0, 192)
    with concurrent.futures.ThreadPoolExecutor(4) as threads:
        for found in threads.map(lambda _: encoder.features(images), range(8)):
            assert numpy.array_equal(found, encoder.features(images))
    return encoder, images


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    encoder, images = check_features(program, folder)
    refuses(mae.ArgumentError, "float32 in scaled units, not uint8", encoder.features,
            (images * 255).astype(numpy.uint8))
    refuses(ValueError, "images are (n, 32, 32, 3)", encoder.tokens, images.transpose(0, 3, 1, 2))
    refuses(ValueError, "not (32, 32, 3)", encoder.tokens, images[0])
    refuses(mae.ArgumentError, "numpy array, not list", encoder.features, [])
    refuses(mae.ArgumentError, "not 'max'", encoder.features, images, "max")
    refuses(mae.NotFiniteError, "image 2", encoder.features, numpy.where(
        numpy.arange(5).reshape(5, 1, 1, 1) == 2, numpy.float32("inf"), images))
    refuses(OSError, "/nowhere", mae.Encoder, "/nowhere")
    refuses(mae.FormatError, "", mae.Encoder, __file__)
    refuses(mae.ConfigError, "--heads", mae.Encoder, folder / "tiny4.safetensors", heads=4)
    refuses(mae.ConfigError, "without a decoder", mae.Autoencoder, folder / "tiny4.safetensors")
    refuses(mae.ConfigError, "contradict", mae.Encoder, folder / "tiny4.safetensors", statistics="half")

    painter = mae.Autoencoder(FIXTURES / "rgb", statistics="none")
    seen = numpy.random.default_rng(1).random((2, 12, 12, 3), numpy.float32)
    hidden = numpy.arange(32).reshape(2, 16) % 4 != 0
    painted = painter.reconstruct(seen, hidden)
    assert painted.shape == seen.shape and not numpy.array_equal(painted, seen)
    changed = seen.copy()
    changed[:, :3, 9:] = 0.5  # of a hidden patch: what is predicted of the others does not see it
    assert hidden[:, 3].all()
    again = painter.reconstruct(changed, hidden)
    assert numpy.array_equal(painted[:, 3:], again[:, 3:]) and not numpy.array_equal(painted, again)
    refuses(mae.ArgumentError, "bool (2, 16)", painter.reconstruct, seen, hidden.astype(numpy.uint8))
    print(f"mae {mae.__version__}, numpy {numpy.__version__}")


main()
