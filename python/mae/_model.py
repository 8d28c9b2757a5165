"""Encoders and autoencoders of checkpoints."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Literal, Optional, Tuple, Union

import numpy

from ._library import ArgumentError, Options, Sizes, SizesOut, library, require

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[numpy.float32]
    Bools = NDArray[numpy.bool_]

Pooling = Literal["mean", "class", "both"]
_POOLINGS = {"mean": 0, "class": 1, "both": 2}


class _Handle:
    """Owns a model of the C library, however many objects of Python share it."""

    def __init__(self) -> None:
        self.model = ctypes.c_void_p()

    def __del__(self) -> None:
        if self.model:
            library.mae_free(self.model)


def _whole(name: str, value: int) -> int:
    if not 0 <= value < 2**31:
        raise ArgumentError(f"{name} is a whole number from 0 to 2147483647, not {value!r}")
    return value


def _pair(name: str, sides: Optional[Tuple[int, int]]) -> Tuple[int, int]:
    if sides is None:
        return 0, 0
    if len(sides) != 2:
        raise ArgumentError(f"{name} is (height, width), not {sides!r}")
    return _whole(name, sides[0]), _whole(name, sides[1])


class Encoder:
    """The encoder of a checkpoint: a safetensors file of mae, of the official code or timm, an index of
    shards, or a folder of Hugging Face's or timm's. Several threads may use it at once.

    What the files leave open is said by keywords, as the tools' flags of the same names say it; `notes` says
    what was assumed. `threads` 0 takes one for every core that the process may use; `decoder_heads` and
    `objective` are an Autoencoder's.
    """

    _for_reconstruction = 0

    def __init__(self, path: Union[str, "os.PathLike[str]"], *, threads: int = 0, heads: int = 0,
                 decoder_heads: int = 0, image_size: Optional[Tuple[int, int]] = None,
                 patch_size: Optional[Tuple[int, int]] = None, norm_epsilon: float = 0.0,
                 statistics: Optional[Literal["imagenet", "half", "none"]] = None,
                 objective: Optional[Literal["normalised", "pixels"]] = None) -> None:
        self._handle = _Handle()
        options = Options(
            ctypes.sizeof(Options), _whole("threads", threads), self._for_reconstruction,
            _whole("heads", heads), _whole("decoder_heads", decoder_heads),
            *_pair("image_size", image_size), *_pair("patch_size", patch_size), norm_epsilon,
            None if statistics is None else statistics.encode(),
            None if objective is None else objective.encode())
        name = os.fsencode(path)
        if b"\0" in name:
            raise ArgumentError("a path has no NUL")
        require(library.mae_load(name, ctypes.byref(options), ctypes.byref(self._handle.model)))
        sizes = SizesOut()
        require(library.mae_get_sizes(self._model, ctypes.byref(sizes)))
        self._sizes = Sizes(*(getattr(sizes, name) for name in Sizes._fields))

    @property
    def _model(self) -> ctypes.c_void_p:
        return self._handle.model

    @property
    def sizes(self) -> Sizes:
        return self._sizes

    @property
    def notes(self) -> Tuple[str, ...]:
        """Lines of what was left out of the files, stripped from their names, and assumed."""
        return tuple(library.mae_notes(self._model).decode().splitlines())

    def entry(self, name: str) -> Optional[str]:
        """What the files say of the model, by the names of docs/files.md; None where they do not."""
        found = library.mae_entry(self._model, name.encode())
        return None if found is None else found.decode()

    def features(self, images: "Floats", pool: Pooling = "mean") -> "Floats":
        """Features (n, D), with "both" (n, 2 D), of images (n, H, W, C) in scaled units: bytes / 255. They
        are normalised here."""
        if pool not in _POOLINGS:
            raise ArgumentError(f"pool is 'mean', 'class' or 'both', not {pool!r}")
        images = self._images(images)
        width = self._sizes.width * (2 if pool == "both" else 1)
        features = numpy.empty((len(images), width), numpy.float32)
        require(library.mae_features(self._model, images.ctypes.data, len(images), _POOLINGS[pool],
                                     features.ctypes.data, features.size))
        return features

    def tokens(self, images: "Floats") -> "Floats":
        """Tokens (n, N + 1, D), the class token first, likewise."""
        images = self._images(images)
        tokens = numpy.empty((len(images), self._sizes.patches + 1, self._sizes.width), numpy.float32)
        require(library.mae_tokens(self._model, images.ctypes.data, len(images), tokens.ctypes.data,
                                   tokens.size))
        return tokens

    def _images(self, images: "Floats") -> "Floats":
        extent = (self._sizes.image_height, self._sizes.image_width, self._sizes.image_channels)
        if not isinstance(images, numpy.ndarray):
            raise ArgumentError(f"images are a numpy array, not {type(images).__name__}")
        if images.dtype != numpy.float32:
            raise ArgumentError(f"images are float32 in scaled units, not {images.dtype}: of bytes "
                                "they are images.astype(numpy.float32) / 255")
        if images.ndim != 4 or images.shape[1:] != extent:
            wanted = ", ".join(str(side) for side in extent)
            raise ArgumentError(f"images are (n, {wanted}), height, width and channels, for this model, not "
                                f"{images.shape}")
        return numpy.require(images, requirements=["C", "ALIGNED"])


class Autoencoder(Encoder):
    """The whole model of a checkpoint, which paints, too. `objective` says what its decoder paints, where the
    files do not."""

    _for_reconstruction = 1

    def reconstruct(self, images: "Floats", hidden: "Bools") -> "Floats":
        """What the decoder paints of images (n, H, W, C), every patch of it, in their units. `hidden` (n, N)
        is true where a patch, row after row of them, is hidden. A model of normalised pixels paints each patch
        by the mean and the deviation of the true one, which `images` must hold, hidden or not: it cannot fill in
        what nobody knows."""
        images = self._images(images)
        wanted = (len(images), self._sizes.patches)
        if not isinstance(hidden, numpy.ndarray) or hidden.dtype != numpy.bool_ or hidden.shape != wanted:
            found = (f"{hidden.dtype} {hidden.shape}" if isinstance(hidden, numpy.ndarray)
                     else type(hidden).__name__)
            raise ArgumentError(f"hidden is a numpy array of bool {wanted}, images and patches, not {found}")
        hidden = numpy.require(hidden, requirements=["C", "ALIGNED"])
        painted = numpy.empty_like(images)
        require(library.mae_reconstruct(self._model, images.ctypes.data, hidden.ctypes.data, len(images),
                                        painted.ctypes.data, painted.size))
        return painted
