#!/usr/bin/env python3
"""Runs the processor's ceiling, peers and mae in turns, and prints one Markdown table.

    benchmarks/side_by_side.py --build build/release [--peer "python3 benchmarks/pytorch_mae.py"]
        [--program step_speed|views_speed|finetune_speed|feature_speed] [--case tiny4:256:fp32]...
        [--threads 2] [--rounds 5] [--steps 5]

A peer is a command that takes the flags of the program and --attention fused|written-out, and prints
the program's JSON line, operations counted as mae's are. Both kinds of attention take part in every
turn, and the faster one of a case is the peer: ratios are of its GFLOP/s. One that a peer refuses as
wrong usage (status 2) is left out. Only ratios of medians are meant to be read: absolute figures
drift on a shared machine.
"""
import argparse
import json
import shlex
import statistics
import subprocess
import sys

ATTENTIONS = ("fused", "written-out")


def run(command):
    """The JSON line that a command prints last."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_all(programs, rounds):
    """What each of the programs, a dictionary of commands, printed in every turn."""
    seen = {name: [] for name in programs}
    for _ in range(rounds):
        for name in list(seen):
            try:
                seen[name].append(run(programs[name]))
            except subprocess.CalledProcessError as error:
                if error.returncode != 2 or not isinstance(name, tuple):
                    raise
                print(f"left out: {shlex.join(programs[name])}", file=sys.stderr)
                del seen[name]
    return seen


def measure(a, case):
    """The rows of a case: mae's and each peer's medians beside the ceiling's."""
    config, batch, precision = case.split(":")
    flags = ["--config", config, "--batch", batch, "--precision", precision,
             "--threads", str(a.threads), "--steps", str(a.steps)]
    programs = {
        "ceiling": [f"{a.build}/benchmarks/ceiling", "--precision", precision, "--threads", str(a.threads)],
        "mae": [f"{a.build}/benchmarks/{a.program}", *flags],
    }
    for peer in a.peer:
        for attention in ATTENTIONS:
            programs[peer, attention] = shlex.split(peer) + flags + ["--attention", attention]
    seen = run_all(programs, a.rounds)
    median = lambda name, field: statistics.median(result[field] for result in seen[name])
    shown = ["mae"]
    for peer in a.peer:
        ran = [(peer, attention) for attention in ATTENTIONS if (peer, attention) in seen]
        if not ran:
            sys.exit(f"neither kind of attention runs by: {peer}")
        shown.append(max(ran, key=lambda name: median(name, "gflops")))
    ceiling = median("ceiling", "gflops")
    rows = []
    for name in shown:
        images, gflops = median(name, "images_per_second"), median(name, "gflops")
        ratio = f"{median('mae', 'gflops') / gflops:.2f}" if name != "mae" else ""
        call = f" {median(name, 'p50_ms'):.1f}, {median(name, 'p99_ms'):.1f} |" if a.program == "feature_speed" else ""
        rows.append(f"| {config}, {batch}, {precision} | {seen[name][0]['system']} | {images:.1f} | {gflops:.0f} "
                    f"| {100 * gflops / ceiling:.0f}% of {ceiling:.0f} |{call} {ratio} |")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="where the benchmarks are built")
    parser.add_argument("--program", choices=["step_speed", "views_speed", "finetune_speed", "feature_speed"],
                        default="step_speed",
                        help="what is timed: training steps, those of two views, of fine-tuning, or features")
    parser.add_argument("--peer", action="append", default=[], help="a command to compare with; may be repeated")
    parser.add_argument("--case", action="append", help="config:batch:precision; may be repeated [tiny4:256:fp32]")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5)
    a = parser.parse_args()
    call = " a call [ms]: p50, p99 |" if a.program == "feature_speed" else ""
    print(f"| config, batch, precision | system | images/s | GFLOP/s | share of the ceiling |{call} mae is faster by |")
    print("|---|---|---|---|---|---|" + ("---|" if call else ""))
    for case in a.case or ["tiny4:256:fp32"]:
        for row in measure(a, case):
            print(row, flush=True)


if __name__ == "__main__":
    main()
