#!/usr/bin/env python3
"""Writes the seeds of picture_fuzz, tests/fuzz/corpus/picture: small pictures of most kinds, cut from
the fixtures of tests/images (make_fixtures.py there). Needs safetensors and numpy."""

from pathlib import Path

from safetensors.numpy import load_file

HERE = Path(__file__).resolve().parent
FIXTURES = HERE.parent / "images" / "fixtures"
KINDS = ("colour 0 of 1 bits, tRNS", "colour 2 of 16 bits, tRNS, Adam7", "colour 3 of 4 bits, tRNS",
         "colour 4 of 16 bits", "colour 6 of 8 bits, Adam7")


def main():
    folder = HERE / "corpus" / "picture"
    folder.mkdir(parents=True, exist_ok=True)
    files = load_file(FIXTURES / "pngs.safetensors")
    for i, kind in enumerate(KINDS):
        (folder / f"png{i}").write_bytes(files[f"{kind} file"].tobytes())
    for name in ("photo.jpg", "progressive.jpeg", "restarts.jpg", "stray.jpg", "ycck.jpg"):
        (folder / name.split(".")[0]).write_bytes((FIXTURES / name).read_bytes())


if __name__ == "__main__":
    main()
