#!/usr/bin/env python3
"""Asks mae_serve from several connections at once, and says how long answers took.

    load.py PROGRAM MODEL [--connections 1,8,64] [--seconds 10] [--requests 20000] [-- FLAG...]

Flags after -- go to the program. With --soak it fails where an answer is an error or the program's
memory grows. A picture is a PNG of the model's size; features are asked for as float32."""

import argparse
import http.client
import json
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
from serving import Server, png  # noqa: E402


def resident_megabytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


class Load:
    """Connections that ask again when they are answered, until time or requests are over."""

    def __init__(self, server, pictures, connections, seconds, requests):
        self.server, self.pictures = server, pictures
        self.end = time.monotonic() + seconds
        self.left, self.lock = requests, threading.Lock()
        self.seconds, self.wrong = [], []
        start = time.monotonic()
        threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.elapsed = time.monotonic() - start

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0 and time.monotonic() < self.end

    def ask(self, number):
        headers = {"Content-Type": "image/png", "Accept": "application/octet-stream"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
        own = []
        while self.take():
            number += 1
            start = time.perf_counter()
            try:
                connection.request("POST", "/v1/features", self.pictures[number % len(self.pictures)], headers)
                reply = connection.getresponse()
                body = reply.read()
                if reply.status != 200:
                    self.wrong.append((reply.status, body))
            except OSError as error:
                self.wrong.append(error)
                connection.close()
            own.append(time.perf_counter() - start)
        connection.close()
        with self.lock:
            self.seconds += own

    def quantile(self, share):
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def line(self, connections):
        return (f"{connections:3} connections: {len(self.seconds)} answers in {self.elapsed:.1f} s, "
                f"{len(self.seconds) / self.elapsed:.0f}/s, p50 {self.quantile(0.5):.1f} ms, "
                f"p99 {self.quantile(0.99):.1f} ms, {len(self.wrong)} wrong")


def soak(server, pictures, connections, seconds):
    """Whether memory stays as it is and nothing fails, under load for some time."""
    Load(server, pictures, connections, 10, 10**9)  # what grows at first
    before, parts = resident_megabytes(server.process.pid), 10
    wrong = []
    for part in range(parts):
        load = Load(server, pictures, connections, seconds / parts, 10**9)
        wrong += load.wrong
        print(load.line(connections), f"{resident_megabytes(server.process.pid):.0f} MB", flush=True)
    after = resident_megabytes(server.process.pid)
    print(f"{before:.0f} MB after 10 s, {after:.0f} MB at the end; {len(wrong)} wrong {wrong[:3]}")
    return not wrong and after < before * 1.1 + 8


def main():
    own, flags = sys.argv[1:], []
    if "--" in own:
        flags = own[own.index("--") + 1:]
        own = own[:own.index("--")]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program")
    parser.add_argument("model")
    parser.add_argument("--connections", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--soak", action="store_true")
    chosen = parser.parse_args(own)
    counts = [int(count) for count in chosen.connections.split(",")]
    with Server(chosen.program, chosen.model, *flags) as server:
        image = json.loads(server.ask("GET", "/v1/model").body)["model"]["image"]
        pictures = [png(image["width"], image["height"], i) for i in range(64)]
        good = True
        for count in counts:
            if chosen.soak:
                good = soak(server, pictures, count, chosen.seconds) and good
                continue
            Load(server, pictures, count, 1, 10**9)
            load = Load(server, pictures, count, chosen.seconds, chosen.requests)
            print(load.line(count), load.wrong[:3] if load.wrong else "", flush=True)
            good = good and not load.wrong
    sys.exit(0 if good and server.code == 0 else 1)


if __name__ == "__main__":
    main()
