#!/usr/bin/env python3
"""Reads a training's event file by TensorBoard's own reader: its values are those of metrics.jsonl, of a
pre-training or a fine-tuning.

    check_events.py FOLDER    (tensorboard 2.21; exit status 77 where it is not installed)
"""

import json
import math
import sys
from pathlib import Path

try:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
except ImportError:
    print("skipped: tensorboard is not installed")
    sys.exit(77)

TAGS = {
    "training": {"loss/training": "loss", "loss/training_baseline": "baseline",
                 "training/learning_rate": "lr", "training/gradient_norm": "gradient_norm",
                 "training/images_per_second": "images_per_second"},
    "heldout": {"loss/heldout": "loss", "loss/heldout_baseline": "baseline"},
    "probe": {"probe/linear_top1": "linear_top1", "probe/knn_top1": "knn_top1"},
    "health": {f"health/{name}": name
               for name in ("effective_rank", "alignment", "uniformity", "deviation")},
}


def tags_of(record):
    """By tag the member of a line. A fine-tuning's lines are of one kind, an epoch each."""
    if "kind" in record:
        return TAGS[record["kind"]]
    health = TAGS["health"].values()
    return {"loss/training" if name == "loss" else f"{'health' if name in health else 'test'}/{name}": name
            for name in record if name not in ("epoch", "seconds")}


def main():
    folder = Path(sys.argv[1])
    expected = {}
    for line in (folder / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        for tag, member in tags_of(record).items():
            if record[member] is not None:
                expected.setdefault(tag, []).append((record.get("step", record["epoch"]), record[member]))
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0})
    events.Reload()
    found = events.Tags()["scalars"]
    assert sorted(found) == sorted(expected), (found, sorted(expected))
    for tag, values in expected.items():
        scalars = events.Scalars(tag)
        assert [s.step for s in scalars] == [step for step, _ in values], tag
        for scalar, (_, value) in zip(scalars, values):
            assert math.isclose(scalar.value, value, rel_tol=1e-6, abs_tol=1e-12), (tag, scalar, value)
    print(f"{sum(len(values) for values in expected.values())} values of {len(expected)} names agree")


if __name__ == "__main__":
    main()
