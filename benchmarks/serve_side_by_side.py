#!/usr/bin/env python3
"""Runs mae_serve and fastapi_service.py in turns under the same load, and prints one Markdown table.

    benchmarks/serve_side_by_side.py --build build/release --python venv/bin/python [--config tiny4]
        [--precision fp32] [--threads 2] [--connections 1,8,64] [--rounds 3] [--seconds 10]
        [--requests 20000] [--peer "--max-batch 64"]...

Both serve the same weights; that they answer alike is checked first. A peer is flags of
fastapi_service.py (without --peer: none, one image at a time); the ratio is mae's answers a second by
the peer's. The client (tests/serve/load.py) shares the machine: its part of a core is told, and
--server-cores and --client-cores keep the two apart. CPU milliseconds are those of the server's process
for an answer. With --bare, feature_speed computes as many images at once as there are connections (64 at
most), without HTTP and pictures: its row says what all the rest costs. --python needs what
fastapi_service.py needs; this script the standard library alone.
"""
import argparse
import contextlib
import json
import os
import resource
import shlex
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path.insert(0, str(HERE.parent / "tests" / "serve"))
from load import Connection, Load, request_of  # noqa: E402
from serving import Listener, Server, png  # noqa: E402

SIDES = {"tiny4": 32, "tiny2": 32, "base16": 224}
HEADS = {"tiny4": 3, "tiny2": 3, "base16": 12}
WARM_UP_SECONDS = 2
LARGEST_BATCH = 64  # mae_serve's own


class Turns:
    """What is run in turns, and what was seen of it."""

    def __init__(self, a, model):
        self.a, self.model = a, model
        self.connections = [int(count) for count in a.connections.split(",")]
        self.pictures = [png(SIDES[a.config], SIDES[a.config], i) for i in range(16)]
        self.seen = {}  # by (name, connections): dictionaries of figures

    def mae(self):
        return Server(f"{self.a.build}/examples/serve/mae_serve", self.model, "--heads", HEADS[self.a.config],
                      "--norm-epsilon", "1e-6", "--statistics", "imagenet", "--precision", self.a.precision,
                      "--request-timeout", "50s", threads=self.a.threads)

    def peer(self, flags):
        return Listener(self.a.python, HERE / "fastapi_service.py", "--config", self.a.config, "--precision",
                        self.a.precision, "--threads", self.a.threads, "--port", 0, *shlex.split(flags))

    def servers(self):
        yield "mae_serve", self.mae
        for flags in self.a.peer:
            yield ("FastAPI " + flags).strip(), lambda flags=flags: self.peer(flags)

    @contextlib.contextmanager
    def started(self, start):
        """A server on the servers' cores, this process on the client's."""
        with on_cores(self.a.server_cores):
            server = start()
        with server, on_cores(self.a.client_cores):
            yield server

    def check_answers(self):
        """Whether all make the same of a picture; int8 rounds, each in its way."""
        answers = {}
        for name, start in self.servers():
            with self.started(start) as server:
                answers[name] = features(server, self.pictures[0])
                print(f"{name}: {server.said.strip().splitlines()[0]}", file=sys.stderr, flush=True)
        expected = answers["mae_serve"]
        for name, values in answers.items():
            alike = cosine(values, expected)
            if len(values) != len(expected) or alike < (0.99 if self.a.precision == "int8" else 0.999999):
                sys.exit(f"{name} answers otherwise than mae_serve: the cosine of their features is {alike}")

    def run(self):
        for name, start in self.servers():
            with self.started(start) as server:
                for connections in self.connections:
                    Load(server, self.pictures, connections, WARM_UP_SECONDS, self.a.requests)
                    before = processor_seconds(server.process.pid)
                    load = Load(server, self.pictures, connections, self.a.seconds, self.a.requests)
                    spent = processor_seconds(server.process.pid) - before
                    if load.wrong:
                        sys.exit(f"{name} at {connections} connections: {len(load.wrong)} wrong: {load.wrong[0]}")
                    self.note(name, connections, rate=load.rate(), p50=load.quantile(0.5), p99=load.quantile(0.99),
                              processor=1e3 * spent / len(load.seconds), client=load.cores)
        if self.a.bare:
            for connections in self.connections:
                self.run_bare(min(connections, LARGEST_BATCH), connections)

    def run_bare(self, batch, connections):
        few, few_seconds = self.bare_steps(batch, 3)
        steps = min(1000, max(6, int(1e3 * self.a.seconds / few["p50_ms"])))
        many, seconds = self.bare_steps(batch, steps)
        self.note("feature_speed", connections, rate=many["images_per_second"], p50=many["p50_ms"], p99=many["p99_ms"],
                  processor=1e3 * (seconds - few_seconds) / ((steps - 3) * batch), client=0)

    def bare_steps(self, batch, steps):
        """The program's JSON line, and the processor's seconds of all that it did."""
        before = children_seconds()
        with on_cores(self.a.server_cores):
            done = subprocess.run([self.a.bare, "--config", self.a.config, "--batch", str(batch), "--precision",
                                   self.a.precision, "--threads", str(self.a.threads), "--steps", str(steps)],
                                  check=True, stdout=subprocess.PIPE, text=True)
        return json.loads(done.stdout), children_seconds() - before

    def note(self, name, connections, **figures):
        self.seen.setdefault((name, connections), []).append(figures)
        print(f"{name}, {connections}: " + ", ".join(f"{key} {value:.2f}" for key, value in figures.items()),
              file=sys.stderr, flush=True)

    def median(self, name, connections, figure):
        return statistics.median(seen[figure] for seen in self.seen[name, connections])

    def print_table(self):
        print("| model, precision | connections | system | answers/s | p50, p99 [ms] | CPU of an answer [ms] "
              "| client's cores | mae_serve is faster by |")
        print("|---|---|---|---|---|---|---|---|")
        names = list(dict.fromkeys(name for name, _ in self.seen))
        for connections in self.connections:
            for name in names:
                of = lambda figure: self.median(name, connections, figure)
                ratio = self.median("mae_serve", connections, "rate") / of("rate")
                print(f"| {self.a.config}, {self.a.precision} | {connections} | {name} | {of('rate'):.1f} "
                      f"| {of('p50'):.1f}, {of('p99'):.1f} | {of('processor'):.2f} | {of('client'):.2f} "
                      f"| {'' if name == 'mae_serve' else f'{ratio:.2f}'} |")


@contextlib.contextmanager
def on_cores(cores):
    """Keeps this thread, and what it starts, on cores; all that it had before where there are none named."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores or before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def children_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def features(server, picture):
    status, body = Connection(server.port).ask(request_of(picture))
    if status != 200:
        sys.exit(f"{status} instead of features: {body[:200]}")
    return struct.unpack(f"<{len(body) // 4}f", body)


def cosine(one, other):
    product = lambda x, y: sum(a * b for a, b in zip(x, y))
    return product(one, other) / (product(one, one) * product(other, other)) ** 0.5


def cores_of(text):
    return {int(core) for core in text.split(",")}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build/release", help="where mae_serve is built")
    parser.add_argument("--python", default=sys.executable, help="which has PyTorch and FastAPI")
    parser.add_argument("--config", choices=SIDES, default="tiny4")
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32")
    parser.add_argument("--threads", type=int, default=2, help="that compute")
    parser.add_argument("--connections", default="1,8,64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of a load")
    parser.add_argument("--requests", type=int, default=20_000, help="of a load, at most")
    parser.add_argument("--peer", action="append", help="flags of fastapi_service.py; may be repeated")
    parser.add_argument("--bare", metavar="FILE", help="the program feature_speed")
    parser.add_argument("--server-cores", type=cores_of, metavar="0,1", help="where servers run [anywhere]")
    parser.add_argument("--client-cores", type=cores_of, metavar="2", help="where the client runs [anywhere]")
    a = parser.parse_args()
    a.peer = a.peer or [""]
    for program in (f"{a.build}/examples/serve/mae_serve", a.bare):
        if program and not os.access(program, os.X_OK):
            parser.error(f"no program '{program}'")
    return a


def main():
    a = arguments()
    with tempfile.TemporaryDirectory() as folder:
        model = f"{folder}/model.safetensors"
        made = subprocess.run([a.python, HERE / "fastapi_service.py", "--config", a.config, "--write-model", model],
                              check=False)
        if made.returncode:
            sys.exit(made.returncode)
        turns = Turns(a, model)
        turns.check_answers()
        start = time.monotonic()
        for _ in range(a.rounds):
            turns.run()
        print(f"{a.rounds} rounds in {time.monotonic() - start:.0f} s", file=sys.stderr)
        turns.print_table()


if __name__ == "__main__":
    main()
