"""Masked autoencoders: features, tokens and reconstructions of numpy arrays, by any checkpoint that mae reads.

    encoder = mae.Encoder("encoder.safetensors")
    features = encoder.features(images, pool="mean")     # images (n, H, W, C) float32, bytes / 255
"""

from ._library import (ArgumentError, ConfigError, Error, FileError, FormatError, NotFiniteError,
                       NotEnoughMemoryError, Sizes, library_version)
from ._model import Autoencoder, Encoder

__version__ = library_version()

__all__ = ["ArgumentError", "Autoencoder", "ConfigError", "Encoder", "Error", "FileError", "FormatError",
           "NotEnoughMemoryError", "NotFiniteError", "Sizes", "library_version"]
