#!/usr/bin/env python3
"""Asks mae_serve from several connections at once, and says how long answers took.

    load.py PROGRAM MODEL [--connections 1,8,64] [--seconds 10] [--requests 20000] [-- FLAG...]

Flags after -- go to the program. With --soak it fails where an answer is an error or the program's
memory grows. A picture is a PNG of the model's size; features are asked for as float32."""

import argparse
import json
import re
import socket
import sys
import threading
import time
from pathlib import Path

sys.dont_write_bytecode = True
from serving import Server, head, png  # noqa: E402


def resident_megabytes(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0


class Connection:
    """Sends requests and waits for each one's reply. By sockets: http.client takes five times as long, and is all of
    a core where 64 connections ask a small model."""

    def __init__(self, port):
        self.port, self.socket = port, None

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def receive(self):
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError("the reply was cut")
        return data

    def ask(self, request):
        """The status and the body of the reply."""
        if self.socket is None:
            self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(request)
        data = self.receive()
        while (end := data.find(b"\r\n\r\n")) < 0:
            data += self.receive()
        lines = data[:end + 2].lower()
        if (size := re.search(rb"\r\ncontent-length: *(\d+)", lines)) is None:
            raise ConnectionError("a reply without its length")
        while len(data) < end + 4 + int(size[1]):
            data += self.receive()
        if b"\r\nconnection: close" in lines:
            self.close()
        return int(lines.split(None, 2)[1]), data[end + 4:]


def request_of(picture):
    return head("POST", "/v1/features", Content_Type="image/png", Accept="application/octet-stream",
                Content_Length=len(picture)) + picture


class Load:
    """Connections that ask again when they are answered, until time or requests are over."""

    def __init__(self, server, pictures, connections, seconds, requests):
        self.port, self.requests = server.port, [request_of(picture) for picture in pictures]
        self.end = time.monotonic() + seconds
        self.left, self.lock = requests, threading.Lock()
        self.seconds, self.wrong = [], []
        start, processor = time.monotonic(), time.process_time()
        threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.elapsed = time.monotonic() - start
        self.cores = (time.process_time() - processor) / self.elapsed  # that the client took

    def take(self):
        with self.lock:
            self.left -= 1
            return self.left >= 0 and time.monotonic() < self.end

    def ask(self, number):
        connection = Connection(self.port)
        own = []
        while self.take():
            number += 1
            start = time.perf_counter()
            try:
                status, body = connection.ask(self.requests[number % len(self.requests)])
                if status != 200:
                    self.wrong.append((status, body))
            except OSError as error:
                self.wrong.append(error)
                connection.close()
            own.append(time.perf_counter() - start)
        connection.close()
        with self.lock:
            self.seconds += own

    def rate(self):
        return len(self.seconds) / self.elapsed

    def quantile(self, share):
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def line(self, connections):
        return (f"{connections:3} connections: {len(self.seconds)} answers in {self.elapsed:.1f} s, "
                f"{self.rate():.0f}/s, p50 {self.quantile(0.5):.1f} ms, p99 {self.quantile(0.99):.1f} ms, "
                f"{len(self.wrong)} wrong; the client took {self.cores:.2f} cores")


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
