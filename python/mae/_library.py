"""The C library mae_c by ctypes: its structures, its functions, and its errors as exceptions."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from typing import NamedTuple


class Error(Exception):
    """What every error of mae derives from; its text is the library's."""


class ArgumentError(Error, ValueError):
    """A call that cannot be: arrays of another type or shape, an unknown pooling."""


class ConfigError(Error, ValueError):
    """What cannot be used so, or what a file contradicts."""


class FileError(Error, OSError):
    """The system refused an operation on a file."""


class FormatError(Error, ValueError):
    """A file does not hold what it should."""


class NotFiniteError(Error, ArithmeticError):
    """A result is not finite."""


class NotEnoughMemoryError(Error, MemoryError):
    """There is not enough memory."""


_ERRORS = {1: ArgumentError, 2: ConfigError, 3: FileError, 4: FormatError, 5: NotFiniteError,
           6: NotEnoughMemoryError}


class Sizes(NamedTuple):
    """The sizes of a model."""

    image_height: int
    image_width: int
    image_channels: int
    patch_height: int
    patch_width: int
    patches: int
    width: int
    depth: int
    heads: int


class Options(ctypes.Structure):
    """mae_options of mae/c_api.h."""

    _fields_ = [("size", ctypes.c_size_t), ("threads", ctypes.c_int),
                ("for_reconstruction", ctypes.c_int), ("heads", ctypes.c_int),
                ("decoder_heads", ctypes.c_int), ("image_height", ctypes.c_int),
                ("image_width", ctypes.c_int), ("patch_height", ctypes.c_int),
                ("patch_width", ctypes.c_int), ("norm_epsilon", ctypes.c_double),
                ("statistics", ctypes.c_char_p), ("objective", ctypes.c_char_p)]


class SizesOut(ctypes.Structure):
    """mae_sizes of mae/c_api.h."""

    _fields_ = [(name, ctypes.c_size_t) for name in Sizes._fields + ("paints",)]


def _load() -> ctypes.CDLL:
    # MAE_LIBRARY names another build of it.
    name = "libmae_c.dylib" if sys.platform == "darwin" else "libmae_c.so"
    found = ctypes.CDLL(os.environ.get("MAE_LIBRARY") or str(Path(__file__).resolve().parent / name))
    text, status, model, count = ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
    array = ctypes.c_void_p
    for function, result, arguments in (
            ("mae_version", text, []),
            ("mae_last_error", text, []),
            ("mae_load", status, [text, ctypes.POINTER(Options), ctypes.POINTER(model)]),
            ("mae_free", None, [model]),
            ("mae_get_sizes", status, [model, ctypes.POINTER(SizesOut)]),
            ("mae_notes", text, [model]),
            ("mae_entry", text, [model, text]),
            ("mae_features", status, [model, array, count, ctypes.c_int, array, count]),
            ("mae_tokens", status, [model, array, count, array, count]),
            ("mae_reconstruct", status, [model, array, array, count, array, count])):
        getattr(found, function).restype = result
        getattr(found, function).argtypes = arguments
    return found


library = _load()


def library_version() -> str:
    """The version of the C library."""
    version: bytes = library.mae_version()
    return version.decode()


def require(status: int) -> None:
    """Raises what a call of this thread has failed with."""
    if status != 0:
        raise _ERRORS.get(status, Error)(library.mae_last_error().decode())
