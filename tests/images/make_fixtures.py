#!/usr/bin/env python3
"""Makes small pictures and what PIL reads of them: tests/images/fixtures. Needs pillow, numpy and
safetensors (pillow 13.0 made the files).

`expected.safetensors` holds each picture as PIL decodes it, U8 (H, W, 3), transparency on white;
`grey.png` also as it is, (H, W, 1); and `resized` what PIL makes of rgb.png at 24 x 16 (bicubic).
"""

from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

FOLDER = Path(__file__).resolve().parent / "fixtures"


def pattern(height, width, channels):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    return ((7 * y * (c + 1) + 13 * x + 40 * c + (x * y) % 23) % 256).astype(np.uint8)


def smooth(height, width):
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    return (128 + 100 * np.sin(x / 5 + c) * np.cos(y / 4 - c)).astype(np.uint8)


def main():
    FOLDER.mkdir(exist_ok=True)
    rgb = Image.fromarray(pattern(9, 14, 3))
    rgb.save(FOLDER / "rgb.png")
    Image.fromarray(pattern(9, 14, 1)[:, :, 0]).save(FOLDER / "grey.png")
    Image.fromarray(pattern(9, 14, 4)).save(FOLDER / "transparent.png")
    rgb.quantize(16).save(FOLDER / "palette.png")
    photo = Image.fromarray(smooth(24, 33))
    photo.save(FOLDER / "photo.jpg", quality=90)
    photo.save(FOLDER / "progressive.jpeg", quality=90, progressive=True)
    photo.convert("L").save(FOLDER / "grey.jpg", quality=90)
    photo.convert("CMYK").save(FOLDER / "cmyk.jpg", quality=90)
    for name in ("rgb.png", "photo.jpg"):
        content = (FOLDER / name).read_bytes()
        stem, ending = name.split(".")
        (FOLDER / f"{stem}_cut.{ending}").write_bytes(content[: len(content) * 2 // 3])

    expected = {}
    for name in ("rgb.png", "grey.png", "transparent.png", "palette.png", "photo.jpg",
                 "progressive.jpeg", "grey.jpg"):
        image = Image.open(FOLDER / name)
        if image.mode == "RGBA":
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image)
        expected[name] = np.asarray(image.convert("RGB"))
    expected["grey.png as it is"] = np.asarray(Image.open(FOLDER / "grey.png"))[:, :, None]
    expected["resized"] = np.asarray(rgb.resize((24, 16), Image.Resampling.BICUBIC))
    save_file({k: np.ascontiguousarray(v) for k, v in expected.items()},
              FOLDER / "expected.safetensors")


if __name__ == "__main__":
    main()
