#!/usr/bin/env python3
"""Times ONNX Runtime on an encoder that mae_convert wrote, to set beside feature_speed. Prints one JSON line.

    onnx_features.py --model encoder.safetensors --convert build/release/examples/tools/mae_convert
        --config tiny4 --batch 256 --precision int8 --threads 2

int8 is ONNX Runtime's own quantize_dynamic of the float graph, the way its documentation shows: a scale for each
column of weights, one for all rows of a batch. Attention is as the graph has it; --attention fused is refused, so
that side_by_side.py runs it once a turn. Needs onnx and onnxruntime.
"""
import argparse
import json
import os
import shlex
import subprocess
import tempfile
import time

import numpy
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

import pytorch_mae
import pytorch_features


def graph_of(a, folder):
    """The path of the encoder's graph in the precision that is asked for."""
    path = os.path.join(folder, "float.onnx")
    flags = ["--model", a.model, "--to", "onnx", "--out", path, *shlex.split(a.convert_flags),
             "--heads", str(pytorch_mae.CONFIGS[a.config]["heads"])]
    subprocess.run([a.convert, *flags], check=True, stdout=subprocess.DEVNULL)
    if a.precision == "fp32":
        return path
    lowered = os.path.join(folder, "int8.onnx")
    quantize_dynamic(path, lowered, weight_type=QuantType.QInt8, per_channel=True)
    return lowered


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--convert", required=True)
    parser.add_argument("--convert-flags", default="--norm-epsilon 1e-6 --statistics imagenet",
                        help="what the file does not say [%(default)s]")
    parser.add_argument("--config", choices=pytorch_mae.CONFIGS, default="tiny4")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--attention", choices=["fused", "written-out"], default="written-out")
    a = parser.parse_args()
    if a.attention == "fused":
        parser.error("the graph has its attention written out")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = a.threads
    with tempfile.TemporaryDirectory() as folder:
        session = onnxruntime.InferenceSession(graph_of(a, folder), options, providers=["CPUExecutionProvider"])
    config = pytorch_mae.CONFIGS[a.config]
    images = numpy.random.default_rng(0).random((a.batch, config["image"], config["image"], 3), dtype=numpy.float32)
    times = []
    for _ in range(a.steps + 2):  # two to warm up
        start = time.perf_counter()
        session.run(["mean"], {"images": images})
        times.append(time.perf_counter() - start)
    times = sorted(times[2:])
    median = times[len(times) // 2]
    print(json.dumps({
        "system": f"onnxruntime {onnxruntime.__version__}", "config": a.config, "batch": a.batch,
        "precision": a.precision, "threads": a.threads, "images_per_second": round(a.batch / median, 1),
        "gflops": round(pytorch_features.encoder_flops(config) * a.batch / median / 1e9, 1),
        "p50_ms": round(1e3 * median, 2), "p99_ms": round(1e3 * times[len(times) * 99 // 100], 2)}))


if __name__ == "__main__":
    main()
