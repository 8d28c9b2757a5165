#!/usr/bin/env bash
# Builds the wheel of python/ in a virtual environment of its own, installs it there, and lets the tests of
# Python and of ONNX run with it, and what docs/elsewhere.md shows. Where the Python package index cannot be reached it says so, and exits with 77.
#
# Usage: wheel.sh PYTHON SCRATCH MAE_FEATURES MAE_CONVERT
set -euo pipefail
python=$1
scratch=$2
features=$(realpath "$3")
convert=$(realpath "$4")
here=$(cd "$(dirname "$0")" && pwd)

rm -rf "$scratch"
mkdir -p "$scratch"
scratch=$(realpath "$scratch")
skip() { echo "skipped: $*" && exit 77; }
"$python" -m venv "$scratch/venv" || skip "$python has no venv"
venv=$scratch/venv/bin
"$venv/pip" install --quiet numpy onnx onnxruntime mypy 'scikit-build-core>=0.10' ||
  skip "the packages of the tests cannot be installed"
"$venv/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$scratch" "$here/../../python"
wheel=("$scratch"/mae-*.whl)
"$venv/python" -m zipfile -l "${wheel[0]}"
"$venv/pip" install --quiet --no-deps "${wheel[0]}"
cd "$scratch"
"$venv/mypy" --strict --package mae
"$venv/python" -B "$here/python_test.py" "$features" "$scratch/python"
"$venv/python" -B "$here/onnx_test.py" "$convert" "$scratch/onnx"

cp -r "$here/../interop/fixtures/rgb" vit-mae
"$convert" --model vit-mae --out encoder.onnx --to onnx
# shellcheck disable=SC2016  # Markdown's own backquotes
sed -n '/^```python$/,/^```$/{/^```/!p}' "$here/../../docs/elsewhere.md" > shown.py
"$venv/python" shown.py
