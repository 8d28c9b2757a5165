"""The safetensors format by hand, as far as the fixtures need it: F32 and I32, torch alone.

A file is the header's length (8 bytes, little-endian), the header (JSON that begins with '{',
padded with spaces to a multiple of 8) and the tensors' data, contiguous and little-endian.
"""

import json
import math
import struct

import torch

_CODES = {"F32": "f", "I32": "i"}
_TYPES = {"F32": torch.float32, "I32": torch.int32}


def _dtype(tensor):
    return "F32" if tensor.is_floating_point() else "I32"


def save(path, tensors, metadata):
    """Writes `tensors` (name to floating or integer tensor) and `metadata` (strings)."""
    header, data = {"__metadata__": metadata}, bytearray()
    for name, tensor in tensors.items():
        values = tensor.detach().flatten().tolist()
        begin = len(data)
        data += struct.pack(f"<{len(values)}{_CODES[_dtype(tensor)]}", *values)
        header[name] = {
            "dtype": _dtype(tensor),
            "shape": list(tensor.shape),
            "data_offsets": [begin, len(data)],
        }
    text = json.dumps(header, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """Reads what `save` wrote; gives (tensors, metadata)."""
    content = path.read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    header = json.loads(content[8 : 8 + length])
    metadata, tensors = header.pop("__metadata__"), {}
    for name, entry in header.items():
        count = math.prod(entry["shape"])
        begin = 8 + length + entry["data_offsets"][0]
        values = struct.unpack_from(f"<{count}{_CODES[entry['dtype']]}", content, begin)
        tensors[name] = torch.tensor(values, dtype=_TYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors, metadata
