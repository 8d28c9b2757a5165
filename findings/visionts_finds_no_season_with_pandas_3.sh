#!/usr/bin/env bash
# visionts finds no season of hours, minutes, seconds, months or quarters with pandas 3: every period is 1.
#
# Version: visionts 1.0.1 with pandas 3.1.1
#
# freq_to_seasonality_list looks up the name that pandas gives a frequency. Its table has H, T, S, M and Q; pandas 2.2
# named them h, min, s, ME and QE, and pandas 3 refuses the old names. The lookup falls back to a list of one: a period of
# 1, for which a series is drawn as a single row, and the forecast is of a picture without any phase. Nothing is said. No
# spelling helps: what pandas reads is unknown to the table, and what the table knows pandas refuses. Days, weeks and
# business days are found as before. Seen: ['h', 'min', 's', 'ME', 'QE'] all give [1], 'D' gives [7, 30, 365, 1].
# The package also imports requests, which nothing that it declares brings.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet visionts==1.0.1 einops==0.8.2 numpy==2.4.6 pandas==3.1.1 pillow==13.0.0 requests==2.34.2 timm==1.0.31 torch==2.15.0 torchvision==0.29.2 tqdm==4.70.1 

"$folder/venv/bin/python" - << 'CHECK'
import pandas
from visionts import freq_to_seasonality_list

refused = []
for name in ("H", "T", "S", "M", "Q"):
    try:
        freq_to_seasonality_list(name)
    except ValueError:
        refused.append(name)
found = {name: freq_to_seasonality_list(name) for name in ("h", "min", "s", "ME", "QE", "D", "W", "B")}
print(f"pandas {pandas.__version__} refuses {refused}; seasons: {found}")
assert refused == ["H", "T", "S", "M", "Q"], "pandas takes an old name again"
assert all(found[name] == [1] for name in ("h", "min", "s", "ME", "QE")), "visionts knows a name of today"
assert found["D"] == [7, 30, 365, 1] and found["W"] == [52, 4, 1] and found["B"] == [5, 1]
CHECK
