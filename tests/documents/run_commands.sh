#!/usr/bin/env bash
# Runs the sh blocks of a document, one after the other, in an empty folder that it makes ready.
#
# Usage: run_commands.sh DOCUMENT SCRATCH TESTS TOOL...
#   the document's commands find the TOOLs by their names, a folder vit-mae with a checkpoint of Hugging
#   Face's and a folder pictures
set -euo pipefail
document=$(realpath "$1")
scratch=$2
tests=$(realpath "$3")
shift 3
rm -rf "$scratch"
mkdir -p "$scratch/bin" "$scratch/pictures"
for tool in "$@"; do ln -s "$(realpath "$tool")" "$scratch/bin/$(basename "$tool")"; done
cp -r "$tests/interop/fixtures/rgb" "$scratch/vit-mae"
for i in 1 2 3 4 5 6; do
  cp "$tests/images/fixtures/photo.jpg" "$scratch/pictures/photo$i.jpg"
  cp "$tests/images/fixtures/rgb.png" "$scratch/pictures/drawing$i.png"
done
# shellcheck disable=SC2016  # Markdown's own backquotes
sed -n '/^```sh$/,/^```$/{/^```/!p}' "$document" > "$scratch/commands.sh"
[ -s "$scratch/commands.sh" ] || { echo "$document has no commands" >&2 && exit 1; }
cd "$scratch"
PATH=$PWD/bin:$PATH bash -euxo pipefail commands.sh
