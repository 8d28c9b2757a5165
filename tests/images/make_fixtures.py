#!/usr/bin/env python3
"""Makes small pictures and what Pillow reads of them: tests/images/fixtures. Needs pillow, numpy and
safetensors (pillow 13.0 made the files).

`expected.safetensors` holds each picture as Pillow decodes it, U8 (H, W, 3), transparency on white,
and "NAME grey" as it converts that to grey; and `resized` what it makes of rgb.png at 24 x 16.

`pngs.safetensors` holds PNG files of every kind (colour type, depth, interlaced or not, a transparent
colour or not) as "NAME file", and what they show; and "gAMA", a chunk to put behind the header.

`resized.safetensors` holds what Pillow makes of a picture by the fits of picture_fit.
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file

FOLDER = Path(__file__).resolve().parent / "fixtures"
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
VALUES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2),
         (1, 0, 2, 1))  # first row, first column, and the steps


def pattern(height, width, channels):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    return ((7 * y * (c + 1) + 13 * x + 40 * c + (x * y) % 23) % 256).astype(np.uint8)


def smooth(height, width, channels=3):
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    return (128 + 100 * np.sin(x / 5 + c) * np.cos(y / 4 - c)).astype(np.uint8)


def on_white(image):
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def chunk(name, data=b""):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(samples, depth):
    """Rows of samples (H, W, C) as a PNG stores them, each behind its filter's number."""
    rows = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        data = rows.astype(">u2").view(np.uint8)
    elif depth == 8:
        data = rows.astype(np.uint8)
    else:
        bits = (rows[:, :, None] >> np.arange(depth - 1, -1, -1)) & 1
        data = np.packbits(bits.reshape(len(rows), -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in data)


def png_file(samples, colour, depth, interlaced, notes):
    height, width, _ = samples.shape
    if interlaced:
        passes = [samples[y::dy, x::dx] for y, x, dy, dx in ADAM7]
        data = b"".join(packed(part, depth) for part in passes if part.size)
    else:
        data = packed(samples, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + notes +
            chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND"))


def png_kinds():
    """(name, file, what it shows as RGBA) of every kind."""
    for colour, depths in DEPTHS.items():
        for depth in depths:
            most = 2**depth - 1
            random = np.random.default_rng(100 * colour + depth)
            samples = random.integers(0, most + 1, (9, 10, VALUES[colour]))
            palette = random.integers(0, 256, (min(most + 1, 40), 3))
            if colour == 3:
                samples %= len(palette)
            for transparent in (False, True) if colour in (0, 2, 3) else (False,):
                notes = b""
                opaque = np.full(samples.shape[:2], 255)
                shown = samples >> 8 if depth == 16 else samples * 255 // most
                if colour == 3:
                    notes = chunk(b"PLTE", palette.astype(np.uint8).tobytes())
                    shown = palette[samples[:, :, 0]]
                if transparent and colour == 3:
                    alphas = random.integers(0, 256, max(1, len(palette) // 2))
                    notes += chunk(b"tRNS", alphas.astype(np.uint8).tobytes())
                    alphas = np.append(alphas, np.full(256, 255))
                    opaque = alphas[samples[:, :, 0]]
                elif transparent:
                    one = samples[3, 4]
                    if depth == 16:  # of the same high bytes, but another colour
                        samples[5, 5] = one ^ 1
                        samples[6, 6] = one
                        shown = samples >> 8
                    notes = chunk(b"tRNS", one.astype(">u2").tobytes())
                    opaque = np.where((samples == one).all(axis=2), 0, 255)
                if colour in (4, 6):
                    opaque = shown[:, :, -1]
                    shown = shown[:, :, :-1]
                rgba = np.dstack([np.broadcast_to(shown, (*shown.shape[:2], 3)), opaque])
                for interlaced in (False, True):
                    name = (f"colour {colour} of {depth} bits" + ", tRNS" * transparent +
                            ", Adam7" * interlaced)
                    file = png_file(samples, colour, depth, interlaced, notes)
                    yield name, file, rgba.astype(np.uint8)


def endless_png():
    """The header of an interlaced picture that no memory holds."""
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 6, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT") + chunk(b"IEND")


def require_as_pillow(name, file, rgba):
    """Pillow 13 takes the lower byte of 16-bit greys (clipped) when it converts them, and looks for
    a transparent colour of another depth than 8 among values of 8 bits."""
    image = Image.open(io.BytesIO(file))
    if "tRNS" in name and "colour 3" not in name and "of 8 bits" not in name:
        return
    if image.mode == "I;16":
        assert (np.asarray(image) >> 8 == rgba[:, :, 0]).all(), name
    else:
        assert (np.asarray(image.convert("RGBA")) == rgba).all(), name


def write_pngs():
    tensors = {"gAMA": np.frombuffer(chunk(b"gAMA", struct.pack(">I", 100_000)), np.uint8)}
    for name, file, rgba in png_kinds():
        require_as_pillow(name, file, rgba)
        rgb = on_white(Image.fromarray(rgba))
        tensors[f"{name} file"] = np.frombuffer(file, np.uint8)
        tensors[name] = np.asarray(rgb)
        tensors[f"{name} grey"] = np.asarray(rgb.convert("L"))[:, :, None]
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()},
              FOLDER / "pngs.safetensors")


def segments(jpeg):
    """Where the segments of a JPEG file begin, SOS the last."""
    at = 2
    while True:
        yield at
        if jpeg[at + 1] == 0xDA:
            return
        at += 2 + int.from_bytes(jpeg[at + 2:at + 4], "big")


def with_stray_bytes(jpeg):
    for at in reversed(list(segments(jpeg))[1:]):
        jpeg = jpeg[:at] + b"\x00stray" + jpeg[at:]
    return jpeg[:-2] + bytes(7) + jpeg[-2:]


def write_jpegs():
    photo = Image.fromarray(smooth(24, 33))
    photo.save(FOLDER / "photo.jpg", quality=90)
    photo.save(FOLDER / "progressive.jpeg", quality=90, progressive=True)
    photo.save(FOLDER / "restarts.jpg", quality=90, restart_marker_blocks=2)
    photo.save(FOLDER / "stored_rgb.jpg", quality=90, keep_rgb=True)
    photo.convert("L").save(FOLDER / "grey.jpg", quality=90)
    cmyk = Image.fromarray(smooth(24, 33, 4), "CMYK")
    cmyk.save(FOLDER / "cmyk.jpg", quality=90)
    content = (FOLDER / "cmyk.jpg").read_bytes()
    # The colour transform in Adobe's segment: the same values are YCCK then.
    at = content.index(b"Adobe") + 11
    (FOLDER / "ycck.jpg").write_bytes(content[:at] + b"\x02" + content[at + 1:])
    (FOLDER / "stray.jpg").write_bytes(with_stray_bytes((FOLDER / "photo.jpg").read_bytes()))


def write_labels():
    """One number a pixel: 1, 8 and 16 bits of grey, and a palette of 2 bits."""
    rows = {
        "bits_1": ([[0, 1, 1], [0, 0, 1]], 0, 1),
        "bits_8": ([[0, 1, 2], [200, 254, 255]], 0, 8),
        "bits_16": ([[0, 1, 256], [300, 4660, 65535]], 0, 16),
        "palette": ([[0, 1, 2], [3, 2, 1]], 3, 2),
    }
    folder = FOLDER.parent / "labels_fixtures"
    folder.mkdir(exist_ok=True)
    palette = chunk(b"PLTE", bytes([0, 0, 0, 255, 0, 0, 9, 9, 9, 0, 0, 255]))
    for name, (values, colour, depth) in rows.items():
        samples = np.array(values)[:, :, None]
        notes = palette if colour == 3 else b""
        (folder / f"{name}.png").write_bytes(png_file(samples, colour, depth, False, notes))


def write_resized():
    picture = Image.fromarray(pattern(61, 83, 3))
    tensors = {"picture": np.asarray(picture)}

    def resized(image, height, width, kind):
        """Along the rows first, whichever of the two shrinks more."""
        between = image.resize((width, image.height), kind)
        return np.asarray(between.resize((width, height), kind))

    for name, kind in (("bilinear", Image.Resampling.BILINEAR),
                       ("bicubic", Image.Resampling.BICUBIC)):
        middle = picture.crop((11, 0, 72, 61))
        tensors[f"crop {name}"] = resized(middle, 16, 16, kind)
        tensors[f"stretch {name}"] = resized(picture, 16, 16, kind)
        tensors[f"tall {name}"] = resized(picture, 9, 70, kind)  # Pillow 13 takes columns first
        edge = resized(picture, 20, 27, kind)  # 27.2
        tensors[f"shortest edge {name}"] = edge[2:18, 5:21]
        tensors[f"shortest edge, even middle {name}"] = edge[2:18, 6:22]
        tensors[f"larger {name}"] = resized(picture, 99, 134, kind)[41:57, 59:75]  # 134.7
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()},
              FOLDER / "resized.safetensors")


def main():
    FOLDER.mkdir(exist_ok=True)
    rgb = Image.fromarray(pattern(9, 14, 3))
    rgb.save(FOLDER / "rgb.png")
    Image.fromarray(pattern(9, 14, 1)[:, :, 0]).save(FOLDER / "grey.png")
    Image.fromarray(pattern(9, 14, 4)).save(FOLDER / "transparent.png")
    rgb.quantize(16).save(FOLDER / "palette.png")
    (FOLDER / "endless.png").write_bytes(endless_png())
    write_jpegs()
    for name in ("rgb.png", "photo.jpg"):
        content = (FOLDER / name).read_bytes()
        stem, ending = name.split(".")
        (FOLDER / f"{stem}_cut.{ending}").write_bytes(content[: len(content) * 2 // 3])

    expected = {}
    for file in sorted(FOLDER.iterdir()):
        whole = "_cut" not in file.name and file.name != "endless.png"
        if file.suffix not in (".png", ".jpg", ".jpeg") or not whole:
            continue
        image = Image.open(file)
        image = on_white(image) if image.mode == "RGBA" else image.convert("RGB")
        expected[file.name] = np.asarray(image)
        expected[f"{file.name} grey"] = np.asarray(image.convert("L"))[:, :, None]
    expected["resized"] = np.asarray(rgb.resize((24, 16), Image.Resampling.BICUBIC))
    save_file({k: np.ascontiguousarray(v) for k, v in expected.items()},
              FOLDER / "expected.safetensors")
    write_pngs()
    write_labels()
    write_resized()


if __name__ == "__main__":
    main()
