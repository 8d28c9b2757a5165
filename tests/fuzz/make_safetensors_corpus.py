#!/usr/bin/env python3
"""Writes the seeds of safetensors_fuzz: corpus/safetensors/ beside this script."""

import json
import pathlib
import struct


def framed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


SEEDS = {
    "empty": framed({}),
    "padded": framed(b"{}      "),
    "scalar": framed({"s": tensor("F32", [], 0, 4)}, b"1234"),
    "two": framed({"b": tensor("U8", [3], 2, 5), "a": tensor("BF16", [1, 1], 0, 2)}, b"vwxyz"),
    "zero_extent": framed({"n": tensor("F64", [4, 0], 0, 0)}),
    "metadata": framed({"__metadata__": {"format": "pt", "\u20ac": "\U0001f600\n\""}}),
    "utf8": framed('{"é€😀":{"shape":[1],"dtype":"BOOL","data_offsets":[0,1]}}'.encode(), b"x"),
    "wrong_hash": framed({"__metadata__": {"mae.format": "1", "mae.hash": "0" * 16}}),
    "white_space": framed(b'{ "a" :\t{"dtype":\n"I64","shape":[1],"data_offsets":[0,\r8]} }', b"12345678"),
    "hole": framed({"a": tensor("U8", [1], 0, 1), "b": tensor("U8", [1], 2, 3)}, b"xyz"),
    "overlap": framed({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 1, 3)}, b"xyz"),
    "overflow": framed({"a": tensor("F64", [2**32, 2**32], 0, 8)}, b"12345678"),
    "nested": framed(b'{"a":' + b"[" * 64),
    "duplicate": framed(b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},'
                        b'"\\u0061":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}'),
    "short": b"\x02\x00\x00",
    "huge_length": b"\xff" * 8 + b"{}",
}


def main():
    folder = pathlib.Path(__file__).parent / "corpus" / "safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in SEEDS.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    main()
