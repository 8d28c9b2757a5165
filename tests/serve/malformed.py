#!/usr/bin/env python3
"""Sends mae_serve requests that are not as they should be: each is answered by an error of the client's
or by a closed connection, and a good request in between as always.

    malformed.py PROGRAM MODEL [REQUESTS] [SEED]"""

import random
import socket
import sys

sys.dont_write_bytecode = True
from serving import Server, head, multipart, png, read_reply  # noqa: E402

PICTURE = png(12, 12)
TARGETS = ("/v1/features", "/v1/features?pool=both", "/v1/reconstruct?ratio=0.5", "/v1/classify", "/v1/model")


def good_request(drawn):
    body, kind = multipart([PICTURE] * drawn.randint(1, 3)) if drawn.random() < 0.5 else (PICTURE, "image/png")
    return head("POST", drawn.choice(TARGETS), Content_Type=kind, Content_Length=len(body)) + body


def spoiled(drawn):
    """A good request with a few bytes cut out, put in, doubled or changed."""
    data = bytearray(good_request(drawn))
    for _ in range(drawn.randint(1, 4)):
        at, length = drawn.randrange(len(data)), drawn.choice((1, 1, 2, 7, 40))
        # Half of the faults lie in the head.
        if drawn.random() < 0.5:
            at = drawn.randrange(min(len(data), 120))
        match drawn.randrange(4):
            case 0: del data[at:at + length]
            case 1: data[at:at] = drawn.randbytes(length)
            case 2: data[at:at] = data[at:at + length]
            case 3: data[at:at + length] = drawn.randbytes(len(data[at:at + length]))
        if not data:
            return b"x"
    return bytes(data)


def nonsense(drawn):
    return drawn.choice((
        drawn.randbytes(drawn.randint(1, 3000)),
        b"GET " + drawn.randbytes(30).hex().encode() * drawn.randint(1, 400) + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        head("POST", "/v1/features", Content_Length=drawn.choice(("x", "-5", "99999999999999999999", "1, 2"))),
        head("POST", "/v1/features", Transfer_Encoding="chunked") + drawn.randbytes(20),
        head(drawn.choice(("GET", "PUT", "BREW", "get", "")), drawn.choice(TARGETS)),
        head("POST", "/v1/features", Content_Type="multipart/form-data; boundary=" + "b" * drawn.randint(0, 100),
             Content_Length=50) + drawn.randbytes(50),
        head("POST", "/v1/reconstruct?mask=" + drawn.choice(("", "1", "0" * 16, "%", "2" * 16)), Content_Length=3) + b"abc",
    ))


def main():
    program, model = sys.argv[1:3]
    count, seed = (int(word) for word in (sys.argv[3:] + ["1000", "0"][len(sys.argv) - 3:])[:2])
    drawn, statuses = random.Random(seed), {}
    with Server(program, model, "--request-timeout", "1s") as server:
        expected = server.features(PICTURE)
        for i in range(count):
            data = spoiled(drawn) if drawn.random() < 0.7 else nonsense(drawn)
            status = None
            with server.connect() as connection, connection.makefile("rb") as stream:
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)  # nothing more: it need not wait for the rest
                    reply = read_reply(stream)
                    status = reply and reply.status
                except OSError:
                    pass
            statuses[status] = statuses.get(status, 0) + 1
            if status is not None and status >= 500 and status != 505:
                sys.exit(f"request {i} of seed {seed} is answered {status}: {data[:200]}")
            if i % 20 == 0 and server.features(PICTURE) != expected:
                sys.exit(f"after request {i} a good one is answered otherwise")
    print(f"{count} requests: {dict(sorted(statuses.items(), key=str))}")
    if server.code != 0:
        sys.exit(f"ended by {server.code}: {server.log()}")


if __name__ == "__main__":
    main()
