#!/usr/bin/env python3
"""mae_c by ctypes and Python's standard library alone: the tokens of a fixture, which PyTorch computed.

    ctypes_test.py LIBMAE_C
"""

import array
import ctypes
import json
import struct
import sys
from pathlib import Path

FIXTURE = Path(__file__).resolve().parent.parent / "interop" / "fixtures" / "rgb"


def read_tensor(path, name):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    entry = json.loads(data[8:8 + length])[name]
    begin, end = entry["data_offsets"]
    values = array.array("f")
    values.frombytes(data[8 + length + begin:8 + length + end])
    return values


def main():
    library = ctypes.CDLL(sys.argv[1])
    library.mae_last_error.restype = library.mae_notes.restype = ctypes.c_char_p
    library.mae_notes.argtypes = library.mae_free.argtypes = [ctypes.c_void_p]
    size = ctypes.c_size_t

    class Options(ctypes.Structure):
        _fields_ = [("size", size), *((f"number{i}", ctypes.c_int) for i in range(8)),
                    ("norm_epsilon", ctypes.c_double), ("statistics", ctypes.c_char_p),
                    ("objective", ctypes.c_char_p)]

    options = Options(size=ctypes.sizeof(Options), statistics=b"none")  # as the fixture's images are
    model = ctypes.c_void_p()
    if library.mae_load(str(FIXTURE).encode(), ctypes.byref(options), ctypes.byref(model)) != 0:
        sys.exit(library.mae_last_error().decode())
    images = read_tensor(FIXTURE / "expected.safetensors", "input.images")
    expected = read_tensor(FIXTURE / "expected.safetensors", "output.tokens")
    found = (ctypes.c_float * len(expected))()
    given = (ctypes.c_float * len(images)).from_buffer(images)
    n = size(len(images) // (12 * 12 * 3))
    if library.mae_tokens(model, given, n, found, size(len(found))) != 0:
        sys.exit(library.mae_last_error().decode())
    difference = max(abs(a - b) for a, b in zip(found, expected))
    print(f"tokens within {difference:.2g} of PyTorch's")
    assert difference < 1e-5
    assert library.mae_tokens(model, given, n, found, size(1)) == 1
    assert b"there is room for 1" in library.mae_last_error()
    assert library.mae_notes(model) == b""
    library.mae_free(model)


main()
