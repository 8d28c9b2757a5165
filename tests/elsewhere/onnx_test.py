#!/usr/bin/env python3
"""What `mae_convert --to onnx` writes passes the checker of ONNX, and ONNX Runtime computes by it what mae
does: within 1e-5 of the largest value, for batches of 1 and 3. With `--precision int8` it is near that, its
layers multiply whole numbers, and an image's features do not depend on the images beside it.

    onnx_test.py MAE_CONVERT SCRATCH_FOLDER      (PYTHONPATH, MAE_LIBRARY where mae is not installed)

Says so and exits with 77 where a library is missing.
"""

import subprocess
import sys
from pathlib import Path

try:
    import numpy
    import onnx
    import onnxruntime
except ImportError as missing:
    print(f"skipped: {missing}; it needs numpy, onnx and onnxruntime")
    sys.exit(77)

import mae
import random_checkpoint

FIXTURES = Path(__file__).resolve().parent.parent / "interop" / "fixtures"


def expect_close(what, actual, expected):
    if actual.shape != expected.shape:
        sys.exit(f"{what}: {actual.shape} where mae has {expected.shape}")
    difference = float(abs(actual - expected).max() / abs(expected).max())
    if not difference <= 1e-5:
        sys.exit(f"{what} differs by {difference:.3g}")
    print(f"{what}: within {difference:.2g}")


def convert(program, path, out, *flags, to="onnx", fails_with=None):
    done = subprocess.run([program, "--model", path, "--to", to, "--out", out, *flags],
                          capture_output=True, text=True)
    if fails_with is None and done.returncode != 0:
        sys.exit(f"mae_convert: {done.stderr}")
    if fails_with is not None and (done.returncode == 0 or fails_with not in done.stderr):
        sys.exit(f"mae_convert should say '{fails_with}', but says: {done.stderr}")
    return done


def check(name, program, path, folder, *flags, **known):
    out = folder / f"{name}.onnx"
    convert(program, path, out, *flags)
    model = onnx.load(out)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == 17 and model.ir_version == 8
    encoder = mae.Encoder(path, **known)
    said = {entry.key: entry.value for entry in model.metadata_props}
    assert said["encoder_depth"] == str(encoder.sizes.depth)
    assert said["made_by"] == f"mae {mae.__version__}" and said["contents"] == "encoder"
    assert said.get("pixel_mean") == encoder.entry("pixel_mean")
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    random = numpy.random.default_rng(1)
    extent = (encoder.sizes.image_height, encoder.sizes.image_width, encoder.sizes.image_channels)
    for n in (1, 3):
        images = random.random((n, *extent), numpy.float32)
        found = dict(zip([output.name for output in session.get_outputs()],
                         session.run(None, {"images": images})))
        assert set(found) == {"tokens", "mean", "class_token"}
        expect_close(f"{name}, batch {n}: tokens", found["tokens"], encoder.tokens(images))
        expect_close(f"{name}, batch {n}: mean", found["mean"], encoder.features(images))
        expect_close(f"{name}, batch {n}: class", found["class_token"], encoder.features(images, "class"))


def check_int8(name, program, path, folder):
    floats, int8 = folder / f"{name}.onnx", folder / f"{name}.int8.onnx"
    convert(program, path, int8, "--precision", "int8")
    model = onnx.load(int8)
    onnx.checker.check_model(model, full_check=True)
    operators = [node.op_type for node in model.graph.node]
    said = {entry.key: entry.value for entry in model.metadata_props}
    layers = 4 * int(said["encoder_depth"]) + 1
    assert operators.count("MatMulInteger") == layers and said["products"] == "int8"
    encode = [onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]) for file in (floats, int8)]
    extent = [axis.dim_value for axis in model.graph.input[0].type.tensor_type.shape.dim[1:]]
    images = numpy.random.default_rng(2).random((3, *extent), numpy.float32)
    expected, found = (session.run(["tokens"], {"images": images})[0] for session in encode)
    difference = float(abs(found - expected).mean() / abs(expected).mean())
    if not 1e-5 < difference < 0.03:
        sys.exit(f"{name}: tokens in int8 differ by {difference:.3g} on average")
    images[0] *= 100
    beside = encode[1].run(["tokens"], {"images": images})[0]
    if not numpy.array_equal(beside[1:], found[1:]):
        sys.exit(f"{name}: in int8 an image depends on one beside it")
    print(f"{name}: int8 within {difference:.2g} on average")


def check_refusals(program, folder):
    model = folder / "refused.safetensors"
    random_checkpoint.encoder(model, **{**random_checkpoint.CASES["grey"], "epsilon": 1e-6})
    out = folder / "refused.onnx"
    convert(program, model, out, "--precision", "bf16", fails_with="--to onnx multiplies floats or int8")
    convert(program, FIXTURES / "timm_mean", out, fails_with="--heads says it")
    convert(program, model, out, "--precision", "int8", to="timm", fails_with="is of --to onnx")
    assert not out.exists()


def main():
    program, folder = sys.argv[1], Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for name, case in random_checkpoint.CASES.items():
        path = folder / f"{name}.safetensors"
        random_checkpoint.encoder(path, **case)
        check(name, program, path, folder)
        check_int8(name, program, path, folder)
    for name in ("rgb", "grey", "five", "vit"):
        check(f"fixture {name}", program, FIXTURES / name, folder)
    check("fixture timm_mean", program, FIXTURES / "timm_mean", folder, "--heads", "3", "--statistics", "half",
          heads=3, statistics="half")
    check_refusals(program, folder)
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}")


main()
