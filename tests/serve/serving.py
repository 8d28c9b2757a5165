"""What the tests of mae_serve share: a server that runs, pictures, and requests as bytes."""

import http.client
import os
import random
import re
import signal
import socket
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path


def png(width, height, seed=0, text=b"", colours=range(256)):
    """A PNG of random colours; `text` stands in it as a note."""
    drawn = random.Random(seed)
    if len(colours) == 1:
        rows = (b"\0" + bytes(colours) * 3 * width) * height
    else:
        rows = b"".join(b"\0" + bytes(drawn.choices(colours, k=3 * width)) for _ in range(height))
    return png_of(width, height, rows, text)


def png_of(width, height, rows, text=b""):
    """A PNG of rows of RGB, a zero before each."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    note = chunk(b"tEXt", b"Comment\0" + text) if text else b""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) + note +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def multipart(pictures, boundary="the-boundary"):
    """The body of a form with a file for each picture, and its content type."""
    body = b"".join(
        b'--%s\r\nContent-Disposition: form-data; name="p"; filename="%d.png"\r\nContent-Type: image/png\r\n\r\n%s\r\n'
        % (boundary.encode(), i, picture) for i, picture in enumerate(pictures))
    return body + b"--%s--\r\n" % boundary.encode(), "multipart/form-data; boundary=" + boundary


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body[:200]}"


def read_reply(stream, method="GET"):
    """The next reply of a connection's file, or nothing where it ends."""
    line = stream.readline()
    if not line:
        return None
    status = int(line.split()[1])
    headers = {}
    while (line := stream.readline().strip()):
        name, value = line.decode().split(":", 1)
        headers[name.lower()] = value.strip()
    size = 0 if method == "HEAD" or status < 200 else int(headers.get("content-length", 0))
    body = stream.read(size)
    if len(body) != size:
        raise ConnectionError("the reply was cut")
    return Reply(status, headers, body)


class Listener:
    """A program that listens at a port and says which, running. Ended by SIGTERM, after which `code` and `log` are
    there."""

    def __init__(self, *command, env=None):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, **(env or {})})
        said = b""
        while b"listening at" not in said:
            line = self.process.stdout.readline()
            if not line:
                self.process.wait()
                raise RuntimeError(f"ended by {self.process.returncode}: {self.log()}")
            said += line
        self.said = said.decode()
        self.port = int(re.search(r":(\d+)\s*$", self.said).group(1))
        self.code = None
        self.is_ending = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def terminate(self):
        """Once: a second signal would end it at once."""
        if not self.is_ending and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.is_ending = True

    def end(self):
        if self.code is None:
            self.terminate()
            try:
                self.code = self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.code = self.process.wait()
                raise
            finally:
                self.process.stdout.close()
        return self.code

    def log(self):
        file = self.errors.fileno()  # whose position is the program's, too
        return os.pread(file, os.fstat(file).st_size, 0).decode()

    def connect(self, timeout=10):
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def ask(self, method, target, body=None, content_type="image/png", headers=None, timeout=20):
        """A request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            sent = dict(headers or {})
            if body is not None and content_type:
                sent["Content-Type"] = content_type
            connection.request(method, target, body, sent)
            reply = connection.getresponse()
            return Reply(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def features(self, *pictures, query="", **more):
        """The bytes of features."""
        body, kind = (pictures[0], "image/png") if len(pictures) == 1 else multipart(pictures)
        reply = self.ask("POST", "/v1/features" + query, body, kind, {"Accept": "application/octet-stream"}, **more)
        if reply.status != 200:
            raise RuntimeError(reply)
        return reply.body

    def raw(self, data, half_close=False, timeout=10):
        """The first reply to bytes as they are; nothing where the connection ends without one."""
        with self.connect(timeout) as connection:
            try:
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # it may have been answered and closed already
            with connection.makefile("rb") as stream:
                try:
                    return read_reply(stream)
                except OSError:
                    return None


class Server(Listener):
    """mae_serve."""

    def __init__(self, program, model, *flags, env=None, port=0, threads=2):
        super().__init__(program, "--model", model, "--port", port, "--threads", threads, *flags, env=env)

    def metric(self, name):
        """The value of a line of /metrics."""
        for line in self.ask("GET", "/metrics").body.decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return None


def head(method, target, **headers):
    """The head of a request, as bytes."""
    lines = [f"{method} {target} HTTP/1.1", "Host: x"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def fixtures():
    return Path(__file__).parent.parent / "interop" / "fixtures"
