#!/usr/bin/env python3
"""mae_serve as its users run it: every status, batches, signals, slow clients.

    serve_test.py PROGRAM FOLDER_OF_THE_TOOLS
"""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

sys.dont_write_bytecode = True
from load import Load  # noqa: E402
from serving import Server, fixtures, head, multipart, png, read_reply  # noqa: E402

PROGRAM = str(Path(sys.argv.pop(1)).resolve())
TOOLS = Path(sys.argv.pop(1)).resolve()
MODEL = fixtures() / "rgb"
OTHER_MODEL = fixtures().parent.parent / "tools" / "fixtures" / "vit_mae"
PICTURES = [png(12 + i % 5, 12 + i % 3, i) for i in range(40)]
OCTETS = {"Accept": "application/octet-stream"}


def code_of(reply):
    error = json.loads(reply.body)["error"]
    assert set(error) == {"code", "message"}, error
    return error["code"]


def run_tool(name, *flags):
    done = subprocess.run([str(TOOLS / name), *map(str, flags)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def until(holds, seconds=10):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@contextlib.contextmanager
def asking_all_along(ask, count=3):
    """Threads that call ask(number of the thread) again and again; yields the list of what goes wrong."""
    wrong, done = [], threading.Event()

    def work(number):
        while not done.is_set():
            try:
                ask(number)
            except Exception as error:  # any: none is to be lost
                wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        done.set()
        for thread in threads:
            thread.join()


def replace_model(folder):
    """By OTHER_MODEL's files."""
    for old in folder.iterdir():
        old.unlink()
    for new in ("config.json", "model.safetensors"):
        shutil.copy(OTHER_MODEL / new, folder)


class Case(unittest.TestCase):
    def check_error(self, reply, status, code):
        self.assertIsNotNone(reply)
        self.assertEqual((reply.status, code_of(reply)), (status, code), reply)
        self.assertEqual(reply.headers["content-type"], "application/json")

    def folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Path(folder.name)


class Answers(Case):
    """Of one server, with the flags that a user has who gives none."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server(PROGRAM, MODEL, "--log-requests")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.end() == 0, cls.server.log()

    def ask(self, *words, **more):
        return self.server.ask(*words, **more)

    def test_it_says_what_it_is(self):
        self.assertIn("features, reconstructions", self.server.said)
        model = json.loads(self.ask("GET", "/v1/model").body)
        self.assertEqual((model["precision"], model["activations"]), ("fp32", "fp32"))
        self.assertEqual(model["model"]["image"], {"height": 12, "width": 12, "channels": 3})
        self.assertEqual(model["feature_widths"], {"mean": 16, "class": 16, "both": 32})
        self.assertNotIn(str(MODEL), json.dumps(model))

    def test_health(self):
        self.assertEqual(self.ask("GET", "/healthz").body, b"ok\n")
        self.assertEqual(self.ask("GET", "/readyz").body, b"ready\n")
        said = self.ask("HEAD", "/healthz")
        self.assertEqual((said.status, said.headers["content-length"], said.body), (200, "3", b""))

    def test_features_are_those_of_mae_features(self):
        folder = self.folder()
        for i, picture in enumerate(PICTURES):
            (folder / f"{i:02}.png").write_bytes(picture)
        for pool, width in (("mean", 16), ("class", 16), ("both", 32)):
            run_tool("mae_features", "--model", MODEL, "--data", folder, "--pool", pool, "--out", folder / "f.npy")
            expected = (folder / "f.npy").read_bytes()[-40 * width * 4:]
            self.assertEqual(self.server.features(*PICTURES, query="?pool=" + pool), expected)

    def test_tokens_of_a_picture(self):
        for flags in ((), ("--precision", "bf16"), ("--precision", "int8")):
            with Server(PROGRAM, MODEL, *flags) as server:
                reply = server.ask("POST", "/v1/tokens", PICTURES[0])
                self.assertEqual((reply.status, reply.headers["x-mae-shape"]), (200, "1,17,16"))
                tokens = struct.unpack(f"<{17 * 16}f", reply.body)
                both = struct.unpack("<32f", server.features(PICTURES[0], query="?pool=both"))
                self.assertEqual(tokens[:16], both[:16])
                for k, mean in enumerate(both[16:]):
                    self.assertAlmostEqual(sum(tokens[16 + k::16]) / 16, mean, places=4)
        self.check_error(self.ask("POST", "/v1/tokens", *multipart(PICTURES[:2])), 422, "too_many_pictures")

    def test_a_picture_as_the_model_takes_it(self):
        seen = self.ask("POST", "/v1/view", PICTURES[3])
        self.assertEqual((seen.status, seen.body[:8]), (200, b"\x89PNG\r\n\x1a\n"))
        self.assertEqual(struct.unpack(">II", seen.body[16:24]), (12, 12))
        again = self.ask("POST", "/v1/view", seen.body)  # of the model's size: nothing to change
        self.assertEqual(again.body, seen.body)
        self.assertEqual(self.server.features(seen.body), self.server.features(PICTURES[3]))

    def test_the_page_needs_nobody_else(self):
        page = self.ask("GET", "/")
        self.assertIn("default-src 'none'", page.headers["content-security-policy"])
        self.assertIn(b"<script>", page.body)
        self.assertIsNone(re.search(rb"@(style|script)@|https?://(?!127)", page.body))

    def test_features_as_json(self):
        for pool, width in (("mean", 16), ("class", 16), ("both", 32)):
            reply = self.ask("POST", "/v1/features?pool=" + pool, *multipart(PICTURES[:3]))
            self.assertEqual(reply.headers["content-type"], "application/json")
            said = json.loads(reply.body)
            self.assertEqual((said["width"], said["pool"], len(said["features"])), (width, pool, 3))
            values = [value for row in said["features"] for value in row]
            self.assertEqual(struct.pack(f"<{3 * width}f", *values),
                             self.server.features(*PICTURES[:3], query="?pool=" + pool))
        self.assertEqual(self.ask("POST", "/v1/features", PICTURES[0], headers=OCTETS).headers["x-mae-shape"], "1,16")

    def test_what_is_accepted(self):
        for accept, kind in (("*/*", "json"), ("text/html, */*;q=0.1", "json"), ("application/octet-stream", "octet-stream"),
                             ("application/json;q=0.5, application/octet-stream", "octet-stream"),
                             ("application/*;q=0.2, application/json;q=0", "octet-stream"),
                             ("application/*;q=0.2, application/json;Q=0", "octet-stream"),
                             ("APPLICATION/JSON", "json")):
            reply = self.ask("POST", "/v1/features", PICTURES[0], headers={"Accept": accept})
            self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/" + kind), accept)
        begin = head("POST", "/v1/features", Accept="text/html", Content_Length=len(PICTURES[0]))[:-2]
        reply = self.server.raw(begin + b"Accept: application/octet-stream\r\n\r\n" + PICTURES[0])
        self.assertEqual((reply.status, reply.headers["content-type"]), (200, "application/octet-stream"))

    def test_targets_as_a_proxy_has_them(self):
        for target, status in (("http://x/healthz", 200), ("HTTP://x:80/readyz?", 200), ("http://x", 200),
                               ("http://x?a", 200), ("http://x/nowhere", 404), ("http:/healthz", 404),
                               ("http://x//healthz", 404)):
            self.assertEqual(self.server.raw(head("GET", target)).status, status, target)
        asked = head("POST", "http://x/v1/features?pool=both", Content_Length=len(PICTURES[0]), **OCTETS) + PICTURES[0]
        self.assertEqual(self.server.raw(asked).body, self.server.features(PICTURES[0], query="?pool=both"))

    def test_a_feature_has_the_same_bits_in_every_batch(self):
        alone = [self.server.features(picture) for picture in PICTURES]
        self.assertEqual(b"".join(alone), self.server.features(*PICTURES))
        found = {}

        def ask(first):
            for i in range(first, len(PICTURES), 8):
                found[i] = self.server.features(PICTURES[i])

        batches = self.server.metric('mae_serve_batch_images_bucket{le="1"}')
        threads = [threading.Thread(target=ask, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([found[i] for i in range(len(PICTURES))], alone)
        # Some were computed together, or nothing was shown.
        self.assertLess(self.server.metric('mae_serve_batch_images_bucket{le="1"}') - batches, len(PICTURES))

    def test_a_load_counts_answers_and_what_is_wrong(self):
        load = Load(self.server, PICTURES, connections=8, seconds=20, requests=200)
        self.assertEqual((len(load.seconds), load.wrong), (200, []))
        self.assertLess(0, load.quantile(0.5))
        wrong = Load(self.server, [b"no picture"], connections=2, seconds=20, requests=6).wrong
        self.assertEqual([status for status, _ in wrong], [400] * 6)

    def test_reconstructions_are_those_of_mae_reconstruct(self):
        folder = self.folder()
        (folder / "p.png").write_bytes(PICTURES[0])
        run_tool("mae_reconstruct", "--model", MODEL, "--data", folder / "p.png", "--seed", 3, "--mask-ratio", 0.6,
                 "--out", folder / "r.png")
        reply = self.ask("POST", "/v1/reconstruct?view=sheet&seed=3&ratio=0.6", PICTURES[0])
        self.assertEqual(reply.headers["content-type"], "image/png")
        self.assertEqual(reply.body, (folder / "r.png").read_bytes())
        mask = reply.headers["x-mae-mask"]
        self.assertEqual((len(mask), mask.count("1")), (16, 10))
        for view in ("pasted", "painted", "masked", "sheet"):
            by_seed = self.ask("POST", f"/v1/reconstruct?view={view}&seed=3&ratio=0.6", PICTURES[0])
            by_mask = self.ask("POST", f"/v1/reconstruct?view={view}&mask={mask}", PICTURES[0])
            self.assertEqual((by_mask.status, by_mask.body), (200, by_seed.body))

    def test_wrong_requests(self):
        picture = PICTURES[0]
        form = multipart([picture])
        for status, code, method, target, body, kind in (
            (404, "not_found", "GET", "/page.html", None, None),
            (404, "not_found", "GET", "/v1/features/", None, None),
            (404, "not_found", "GET", "/../../../etc/passwd", None, None),
            (404, "not_found", "GET", "/%2e%2e/%2e%2e/etc/passwd", None, None),
            (404, "not_found", "GET", "//etc/passwd", None, None),
            (404, "not_offered", "POST", "/v1/classify", picture, "image/png"),
            (405, "method_not_allowed", "GET", "/v1/features", None, None),
            (405, "method_not_allowed", "DELETE", "/healthz", None, None),
            (405, "method_not_allowed", "OPTIONS", "/v1/features", None, None),
            (415, "unsupported_media_type", "POST", "/v1/features", picture, "text/plain"),
            (400, "no_picture", "POST", "/v1/features", b"", "image/png"),
            (400, "bad_picture", "POST", "/v1/features", b"no picture at all", "image/png"),
            (400, "bad_picture", "POST", "/v1/features", picture[:60], "image/png"),
            (400, "bad_picture", "POST", "/v1/features", b"\xff\xd8\xff\xe0", "image/jpeg"),
            (400, "bad_multipart", "POST", "/v1/features", b"x", "multipart/form-data"),
            (400, "bad_multipart", "POST", "/v1/features", form[0][:-30], form[1]),
            (400, "bad_multipart", "POST", "/v1/features", b"--a\r\nno end", "multipart/form-data; boundary=a"),
            (422, "no_picture", "POST", "/v1/features", b"--a--", "multipart/form-data; boundary=a"),
            (422, "too_many_pictures", "POST", "/v1/features", *multipart([picture] * 65)),
            (422, "too_many_pictures", "POST", "/v1/reconstruct", *multipart([picture] * 2)),
            (422, "bad_parameter", "POST", "/v1/features?pool=all", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/features?pool=mean&pool=mean", picture, "image/png"),
            (422, "unknown_parameter", "POST", "/v1/features?pol=mean", picture, "image/png"),
            (400, "bad_request", "POST", "/v1/features?pool=%zz", picture, "image/png"),
            (404, "not_offered", "POST", "/v1/neighbours", picture, "image/png"),
            (404, "not_offered", "GET", "/v1/gallery/0/thumbnail", None, None),
            (405, "method_not_allowed", "GET", "/v1/attention", None, None),
            (422, "bad_parameter", "POST", "/v1/attention?block=0", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/attention?block=99", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/attention?heads=all", picture, "image/png"),
            (422, "too_many_pictures", "POST", "/v1/attention", *multipart([picture] * 2)),
            (400, "bad_picture", "POST", "/v1/attention", picture[:60], "image/png"),
            (422, "bad_parameter", "POST", "/v1/reconstruct?ratio=1", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/reconstruct?ratio=nan", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/reconstruct?seed=-1", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/reconstruct?mask=01", picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/reconstruct?mask=" + "1" * 16, picture, "image/png"),
            (422, "bad_parameter", "POST", "/v1/reconstruct?seed=1&mask=" + "01" * 8, picture, "image/png"),
        ):
            with self.subTest(target=target, code=code):
                reply = self.ask(method, target, body, kind)
                self.check_error(reply, status, code)
                if status == 405:
                    self.assertEqual(reply.headers["allow"], "POST" if "/v1" in target else "GET, HEAD")
        self.check_error(self.ask("POST", "/v1/attention", picture, headers={"Accept": "application/json"}), 406,
                         "not_acceptable")
        reply = self.ask("POST", "/v1/features", picture, headers={"Accept": "text/html"})
        self.check_error(reply, 406, "not_acceptable")
        second = self.ask("POST", "/v1/features", *multipart([picture, b"broken"]))
        self.assertIn("picture 2", json.loads(second.body)["error"]["message"])

    def test_what_is_no_http(self):
        for data, status, code in (
            (b"hello\r\n\r\n", 400, "bad_request"),
            (b"GET /healthz HTTP/1.1\r\n\r\n", 400, "bad_request"),  # without a Host
            (head("GET", "/healthz", Host="y"), 400, "bad_request"),  # with two
            (b"GET /healthz HTTP/3.0\r\n\r\n", 505, "bad_version"),
            (head("GET", "/healthz", X=20_000 * "x"), 431, "head_too_large"),
            (head("POST", "/v1/features", Content_Length="-1"), 400, "bad_request"),
            (head("POST", "/v1/features", Transfer_Encoding="chunked") + b"zz\r\n", 400, "bad_request"),
        ):
            self.check_error(self.server.raw(data), status, code)

    def test_connections_go_on(self):
        first = head("POST", "/v1/features", Content_Type="image/png", Content_Length=len(PICTURES[0])) + PICTURES[0]
        chunked = (head("POST", "/v1/features", Content_Type="image/png", Transfer_Encoding="chunked") +
                   b"%x\r\n%s\r\n0\r\n\r\n" % (len(PICTURES[0]), PICTURES[0]))
        with self.server.connect() as connection, connection.makefile("rb") as stream:
            connection.sendall(first + chunked + head("GET", "/healthz"))  # pipelined
            one, other, last = (read_reply(stream) for _ in range(3))
            self.assertEqual((one.status, one.body, last.body), (200, other.body, b"ok\n"))
            waits = head("POST", "/v1/features", Expect="100-continue", Content_Length=len(PICTURES[0]))
            connection.sendall(waits)
            self.assertEqual(read_reply(stream).status, 100)
            connection.sendall(PICTURES[0])
            self.assertEqual(read_reply(stream).body, one.body)
            connection.sendall(head("GET", "/healthz", Connection="close"))
            self.assertEqual(read_reply(stream).headers["connection"], "close")
            self.assertEqual(stream.read(), b"")
        old = self.server.raw(b"GET /healthz HTTP/1.0\r\n\r\n")
        self.assertEqual((old.status, old.headers["connection"]), (200, "close"))

    def test_the_interface_is_what_is_served(self):
        interface = json.loads(self.ask("GET", "/openapi.json").body)
        self.assertTrue(interface["openapi"].startswith("3."))
        self.assertNotIn("/v1/classify", interface["paths"])
        self.assertEqual(set(interface["paths"]), {"/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/v1/model",
                                                   "/v1/features", "/v1/tokens", "/v1/view", "/v1/reconstruct", "/v1/attention"})
        for path, methods in interface["paths"].items():
            (method, said), = methods.items()
            reply = self.ask(method.upper(), path, PICTURES[0] if method == "post" else None)
            self.assertEqual(reply.status, 200, path)
            self.assertIn(reply.headers["content-type"].split(";")[0], said["responses"]["200"]["content"])
            wrong = self.ask("PUT", path)
            self.check_error(wrong, 405, "method_not_allowed")
            self.assertIn(method.upper(), wrong.headers["allow"])
            for name in (parameter["name"] for parameter in said["parameters"]):
                self.assertEqual(self.ask("POST", f"{path}?{name}=", PICTURES[0]).status, 422)

    def test_metrics(self):
        self.server.features(*PICTURES[:3])
        self.ask("GET", "/nowhere")
        said = self.ask("GET", "/metrics").body.decode()
        for line in said.splitlines():
            self.assertRegex(line, r'^(# (HELP|TYPE) \S+ .+|mae_serve_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? [-+.\de]+)$')
        self.assertIn('mae_serve_requests_total{route="other",status="404"}', said)
        self.assertIn('mae_serve_errors_total{code="not_found"}', said)
        self.assertIn('mae_serve_request_seconds_bucket{route="/v1/features",le="+Inf"}', said)
        self.assertNotIn("nowhere", said)
        self.assertGreaterEqual(self.server.metric("mae_serve_batch_images_sum"), 3)
        self.assertEqual(self.server.metric("mae_serve_queue_images"), 0)

    def test_no_body_is_in_the_log(self):
        secret = "the-secret-of-a-picture"
        self.server.features(png(12, 12, 1, secret.encode()))
        self.ask("POST", "/v1/features?pool=" + secret, PICTURES[0], headers={"X-Secret": secret})
        self.ask("GET", "/" + secret)
        self.ask("POST", "/v1/features", secret.encode())
        log = self.server.log()
        self.assertIn("/v1/features 200", log)
        self.assertIn("other 404", log)
        self.assertNotIn(secret, log)


class Limits(Case):
    def test_bodies(self):
        with Server(PROGRAM, MODEL, "--max-body", "4K", "--max-pixels", "400") as server:
            begin = head("POST", "/v1/features", Content_Type="image/png", Content_Length=5000)
            self.check_error(server.raw(begin), 413, "body_too_large")  # before any of it was sent
            self.check_error(server.raw(begin + bytes(5000)), 413, "body_too_large")
            chunks = b"800\r\n" + bytes(0x800) + b"\r\n"
            begin = head("POST", "/v1/features", Content_Type="image/png", Transfer_Encoding="chunked")
            self.check_error(server.raw(begin + chunks * 3), 413, "body_too_large")
            self.check_error(server.ask("POST", "/v1/features", png(30, 20)), 400, "bad_picture")
            self.assertEqual(server.ask("POST", "/v1/features", png(20, 20)).status, 200)

    def test_a_full_queue(self):
        with Server(PROGRAM, MODEL, "--queue", "4", "--max-batch", "4", "--max-delay", "9s") as server:
            found = []
            with server.connect():  # who may still ask: a batch waits for it
                waiting = threading.Thread(target=lambda: found.append(server.features(*PICTURES[:3])))
                waiting.start()
                until(lambda: server.metric("mae_serve_queue_images") == 3)
                refused = server.ask("POST", "/v1/features", *multipart(PICTURES[:2]))
                self.check_error(refused, 429, "queue_full")
                self.assertGreaterEqual(int(refused.headers["retry-after"]), 1)
                filling = server.features(PICTURES[3])  # the fourth: the batch is full
                waiting.join()
            self.assertEqual(found[0] + filling, server.features(*PICTURES[:4]))

    def test_connections(self):
        with Server(PROGRAM, MODEL, "--max-connections", "3") as server:
            some = [server.connect() for _ in range(3)]
            until(lambda: server.raw(head("GET", "/healthz")).status == 503)
            self.check_error(server.raw(b""), 503, "too_many_connections")
            for one in some:
                one.close()
            until(lambda: server.raw(head("GET", "/healthz")).status == 200)

    def test_time(self):
        begin = head("POST", "/v1/features", Content_Type="image/png", Content_Length=500)
        found = {}

        def slow(server, name, data):
            with server.connect(20) as connection, connection.makefile("rb") as stream:
                start = time.monotonic()
                try:
                    for i in range(len(data)):  # a byte now and then: the deadline is of all of it
                        connection.sendall(data[i:i + 1])
                        if select.select([connection], [], [], 0.03)[0]:
                            break
                    found[name] = read_reply(stream), time.monotonic() - start
                except OSError as error:
                    found[name] = error, time.monotonic() - start

        with Server(PROGRAM, MODEL, "--request-timeout", "400ms") as server:
            threads = [threading.Thread(target=slow, args=(server, *pair))
                       for pair in (("head", begin[:40]), ("idle", b""))]
            threads.append(threading.Thread(target=lambda: found.update(body=(server.raw(begin + b"some"), 0))))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.check_error(found["head"][0], 408, "timeout")
            self.check_error(found["body"][0], 408, "timeout")
            self.assertIsNone(found["idle"][0])  # nothing was asked: nothing is answered
            self.assertLess(found["idle"][1], 10)

    def test_an_answer_that_is_late(self):
        with Server(PROGRAM, MODEL, "--request-timeout", "2s", "--max-delay", "1900ms") as server:
            asked = head("POST", "/v1/features", Content_Length=len(PICTURES[0])) + PICTURES[0]
            with server.connect(), server.connect(20) as connection, connection.makefile("rb") as stream:
                connection.sendall(asked[:40])
                time.sleep(1)
                connection.sendall(asked[40:])  # its batch waits for the other connection, longer than it may
                late = read_reply(stream)
            self.check_error(late, 503, "too_late")
            self.assertIn("retry-after", late.headers)

    def test_a_body_that_streams_over_its_time(self):
        flags = ("--request-timeout", "500ms", "--max-body", "512M")
        with Server(PROGRAM, MODEL, *flags) as server:
            for _ in range(3):
                with server.connect(10) as connection, connection.makefile("rb") as stream:
                    start = time.monotonic()
                    connection.sendall(head("POST", "/v1/features", Content_Type="image/png", Content_Length=512 << 20))
                    time.sleep(0.4)
                    sent = 0
                    try:
                        while time.monotonic() < start + 0.6 and sent < 256 << 20:
                            sent += connection.send(bytes(1 << 12))
                    except OSError:
                        pass  # it was answered, and what is more is read for a while only
                    self.check_error(read_reply(stream), 408, "timeout")
            self.assertEqual(server.end(), 0)

    def test_what_nobody_waits_for_is_not_decoded(self):
        large = png(5000, 5000, colours=(7,))  # small as a file
        with Server(PROGRAM, MODEL, "--request-timeout", "1s") as server:
            self.check_error(server.ask("POST", "/v1/features", *multipart([large] * 64)), 503, "too_late")
            until(lambda: server.metric("mae_serve_queue_images") == 0, 5)  # all would take more
            self.assertEqual(server.metric("mae_serve_batch_images_count"), 0)

    def test_who_goes_is_not_waited_for(self):
        with Server(PROGRAM, MODEL, "--request-timeout", "60s", "--max-delay", "10s") as server:
            idle = server.connect()
            start = time.monotonic()
            waiting = threading.Thread(target=server.features, args=(PICTURES[0],))
            waiting.start()
            until(lambda: server.metric("mae_serve_queue_images") == 1)
            idle.close()
            waiting.join()
            self.assertLess(time.monotonic() - start, 8)

    def test_tokens(self):
        folder = self.folder()
        (folder / "token").write_text("a-token-of-a-test\n")
        for flags, env in ((("--token-file", str(folder / "token")), {}),
                           ((), {"MAE_SERVE_TOKEN": "a-token-of-a-test"})):
            with Server(PROGRAM, MODEL, *flags, env=env) as server:
                for wrong in ({}, {"Authorization": "Bearer a-token-of-a-tesu"}, {"Authorization": "Bearer "},
                              {"Authorization": "Bearer a-token-of-a-test2"}, {"Authorization": "a-token-of-a-test"}):
                    refused = server.ask("POST", "/v1/features", PICTURES[0], headers=wrong)
                    self.check_error(refused, 401, "unauthorized")
                    self.assertEqual(refused.headers["www-authenticate"], "Bearer")
                self.assertEqual(server.ask("GET", "/healthz").status, 200)
                self.assertEqual(server.ask("GET", "/metrics").status, 401)
                right = {"Authorization": "Bearer a-token-of-a-test"}
                self.assertEqual(server.ask("POST", "/v1/features", PICTURES[0], headers=right).status, 200)
                self.assertNotIn("a-token", server.log() + server.said)
        with self.assertRaisesRegex(RuntimeError, "(?s)ended by 2.*8 to 512"):
            Server(PROGRAM, MODEL, env={"MAE_SERVE_TOKEN": "short"})

    def test_slow_clients_hold_up_nobody(self):
        with Server(PROGRAM, MODEL) as server:
            begin = head("POST", "/v1/features", Content_Type="image/png", Content_Length=len(PICTURES[0]))
            slow = [server.connect() for _ in range(60)]
            for i, one in enumerate(slow):
                one.sendall((b"", b"GET", begin, begin + PICTURES[0][:100])[i % 4])
            start = time.monotonic()
            for picture in PICTURES[:20]:
                server.features(picture)
            self.assertLess(time.monotonic() - start, 5)
            for one in slow[3::4]:  # and those who hesitated are answered, too
                one.sendall(PICTURES[0][100:])
                with one.makefile("rb") as stream:
                    self.assertEqual(read_reply(stream).status, 200)
            for one in slow:
                one.close()

    def test_words(self):
        for flags, why in ((("--host", "nowhere"), "must be an address"), (("--queue", "1"), "less than --max-batch"),
                           (("--max-delay", "1s", "--request-timeout", "1s"), "less than --request-timeout"),
                           (("--max-delay", "2"), "must be a time"), (("--max-body", "x"), "number of bytes")):
            with self.assertRaisesRegex(RuntimeError, "(?s)ended by 2.*" + why):
                Server(PROGRAM, MODEL, *flags)
        with Server(PROGRAM, MODEL) as server, self.assertRaisesRegex(RuntimeError, "cannot listen"):
            Server(PROGRAM, MODEL, port=server.port)


class Signals(Case):
    def model(self):
        folder = self.folder() / "model"
        shutil.copytree(MODEL, folder)
        return folder

    def test_sigterm_finishes_what_was_taken(self):
        with Server(PROGRAM, MODEL, "--max-delay", "9s") as server:
            found = []
            expected = server.features(PICTURES[0])
            idle = server.connect()  # who may still ask: batches wait for it
            probe, half = server.connect(), server.connect()  # whose requests are not all here yet
            probe.sendall(head("GET", "/readyz")[:-2])
            half.sendall(head("POST", "/v1/features", Content_Length=len(PICTURES[0]), Accept=OCTETS["Accept"]))
            threads = [threading.Thread(target=lambda: found.append(server.features(PICTURES[0]))) for _ in range(5)]
            for thread in threads:
                thread.start()
            until(lambda: server.metric("mae_serve_queue_images") == 5)
            start = time.monotonic()
            server.terminate()
            until(lambda: "ending" in server.log())
            for connection, rest in ((probe, b"\r\n"), (half, PICTURES[0])):
                connection.sendall(rest)
            with probe.makefile("rb") as stream:
                self.check_error(read_reply(stream), 503, "draining")
            with half.makefile("rb") as stream:
                self.assertEqual(read_reply(stream).body, expected)
            with self.assertRaises(ConnectionError):
                server.connect()
            for thread in threads:
                thread.join()
            for connection in (probe, half):
                connection.close()
            self.assertEqual(server.end(), 0)
            self.assertEqual(found, [expected] * 5)
            self.assertLess(time.monotonic() - start, 8)  # they waited no longer
            idle.close()

    def test_sigterm_under_load(self):
        with Server(PROGRAM, MODEL) as server:
            answered, cut = [], []

            def ask():
                body = head("POST", "/v1/features", Content_Type="image/png", Content_Length=len(PICTURES[0]))
                try:
                    with server.connect() as connection, connection.makefile("rb") as stream:
                        while True:
                            connection.sendall(body + PICTURES[0])
                            if (reply := read_reply(stream)) is None:
                                return
                            answered.append(reply.status)
                            if reply.headers.get("connection") == "close":
                                return
                except ConnectionError as error:
                    if "cut" in str(error):
                        cut.append(error)

            threads = [threading.Thread(target=ask) for _ in range(8)]
            for thread in threads:
                thread.start()
            until(lambda: len(answered) > 200)
            server.terminate()
            for thread in threads:
                thread.join()
            self.assertEqual((server.end(), cut, set(answered)), (0, [], {200}))

    def test_sighup_reloads(self):
        model = self.model()
        with Server(PROGRAM, model) as server:
            before = server.features(PICTURES[0])
            with asking_all_along(lambda _: server.features(PICTURES[0])) as wrong:
                replace_model(model)
                server.process.send_signal(signal.SIGHUP)
                until(lambda: server.features(PICTURES[0]) != before)
                after = server.features(PICTURES[0])
                (model / "model.safetensors").write_bytes((OTHER_MODEL / "model.safetensors").read_bytes()[:-1000])
                server.process.send_signal(signal.SIGHUP)
                until(lambda: "not reloaded" in server.log())
                self.assertEqual(server.features(PICTURES[0]), after)
            self.assertEqual(wrong, [])
            self.assertEqual(server.metric('mae_serve_reloads_total{result="done"}'), 1)
            self.assertEqual(server.metric('mae_serve_reloads_total{result="refused"}'), 1)
            self.assertEqual(server.end(), 0)


class Attention(Case):
    """Of a small ViT, whose attention timm says (tests/tools/make_attention_fixture.py)."""

    fixture = fixtures().parent.parent / "tools" / "attention"
    model = fixture / "model"
    picture = (fixture / "pictures" / "noise.png").read_bytes()
    heads, tokens = 3, 9

    def expected(self, block):
        """(H, S, S) of a block from 1."""
        data = (self.fixture / "expected.safetensors").read_bytes()
        size = struct.unpack("<Q", data[:8])[0]
        entry = json.loads(data[8:8 + size])["probabilities"]
        self.assertEqual(entry["shape"], [2, 1 * self.heads, self.tokens, self.tokens])
        first = 8 + size + entry["data_offsets"][0]
        values = struct.unpack_from(f"<{2 * self.heads * self.tokens ** 2}f", data, first)
        each = self.heads * self.tokens ** 2
        return values[(block - 1) * each:block * each]

    def ask(self, server, query, shape):
        reply = server.ask("POST", "/v1/attention" + query, self.picture)
        self.assertEqual((reply.status, reply.headers["x-mae-shape"]), (200, shape), reply)
        return struct.unpack(f"<{len(reply.body) // 4}f", reply.body)

    def check_close(self, found, expected, most):
        self.assertEqual(len(found), len(expected))
        self.assertLess(max(abs(a - b) for a, b in zip(found, expected)), most)

    def test_it_is_that_of_timm(self):
        square = self.tokens ** 2
        for precision, most in (("fp32", 1e-5), ("bf16", 0.02)):
            with Server(PROGRAM, self.model, "--precision", precision) as server:
                self.assertIs(json.loads(server.ask("GET", "/v1/model").body)["attention"], True)
                for block in (1, 2):
                    each = self.ask(server, f"?heads=each&block={block}", "1,3,9,9")
                    self.check_close(each, self.expected(block), most)
                    mean = self.ask(server, f"?block={block}", "1,9,9")
                    self.check_close(mean, [sum(each[i::square]) / 3 for i in range(square)], 1e-6)
                    for row in range(self.tokens):
                        self.assertAlmostEqual(sum(mean[row * 9:row * 9 + 9]), 1, places=5)
                self.assertEqual(self.ask(server, "", "1,9,9"), mean)  # of the last block
                # Blocks without the final norm leave what comes after with it.
                tokens = server.ask("POST", "/v1/tokens", self.picture).body
                self.ask(server, "?block=2", "1,9,9")
                self.assertEqual(server.ask("POST", "/v1/tokens", self.picture).body, tokens)

    def test_it_has_the_same_bits_in_every_batch(self):
        queries = ("?block=1", "?block=2", "?block=2&heads=each", "?block=1&heads=each")
        with Server(PROGRAM, self.model, "--max-delay", "50ms") as server:
            alone = [server.ask("POST", "/v1/attention" + query, self.picture).body for query in queries]
            found = {}

            def ask(i):
                found[i] = server.ask("POST", "/v1/attention" + queries[i % 4], self.picture).body

            threads = [threading.Thread(target=ask, args=(i,)) for i in range(16)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual([found[i] for i in range(16)], alone * 4)

    def test_it_disturbs_no_other_answer_nor_a_gallery_that_is_read_again(self):
        folder = self.folder()
        for i, picture in enumerate(PICTURES):
            (folder / f"{i}.png").write_bytes(picture)
        asked = ("/v1/attention?block=1", "/v1/attention?block=2&heads=each", "/v1/tokens", "/v1/features?pool=both",
                 "/v1/neighbours?k=40&pool=both")
        with Server(PROGRAM, self.model, "--gallery", str(folder)) as server:
            alone = [server.ask("POST", path, self.picture).body for path in asked]

            def ask(number):
                path, expected = list(zip(asked, alone))[number % len(asked)]
                reply = server.ask("POST", path, self.picture)
                self.assertEqual((path, reply.status, reply.body), (path, 200, expected))

            with asking_all_along(ask, 10) as wrong:
                for i in range(3):
                    server.process.send_signal(signal.SIGHUP)
                    until(lambda: server.metric('mae_serve_reloads_total{result="done"}') == i + 1, 30)
            self.assertEqual(wrong, [])
            self.assertEqual(server.end(), 0)

    def test_int8_has_none(self):
        with Server(PROGRAM, self.model, "--precision", "int8") as server:
            self.check_error(server.ask("POST", "/v1/attention", self.picture), 404, "not_offered")
            self.assertNotIn("/v1/attention", json.loads(server.ask("GET", "/openapi.json").body)["paths"])
            self.assertIs(json.loads(server.ask("GET", "/v1/model").body)["attention"], False)


class Gallery(Case):
    def gallery(self):
        """Twelve pictures, some of the same name, and one that is none."""
        folder = self.folder() / "pictures"
        for part in ("a secret folder", "b"):
            (folder / part).mkdir(parents=True)
        for i in range(12):
            (folder / ("a secret folder", "b")[i % 2] / self.name(i)).write_bytes(PICTURES[i])
        (folder / "b" / "broken.png").write_bytes(PICTURES[0][:60])
        return folder

    def name(self, i):
        return f"{i // 2:02}.png"

    def serve(self, folder, *flags, model=MODEL):
        return Server(PROGRAM, model, "--gallery", str(folder), *flags)

    def neighbours(self, server, picture, query=""):
        reply = server.ask("POST", "/v1/neighbours" + query, picture)
        self.assertEqual(reply.status, 200, reply)
        return json.loads(reply.body)

    def test_neighbours_are_those_of_mae_search(self):
        folder = self.gallery()
        out = self.folder()
        (out / "q.png").write_bytes(PICTURES[20])
        with self.serve(folder, "--unreadable", "skip") as server:
            self.assertIn("a gallery of 12 pictures", server.said)
            self.assertRegex(server.log(), "left out: .*broken.png")
            self.assertIn("12 pictures, encoded in", server.log())
            self.assertEqual(json.loads(server.ask("GET", "/v1/model").body)["gallery"], {"pictures": 12})
            for pool in ("mean", "class", "both"):
                run_tool("mae_search", "--model", MODEL, "--gallery", folder, "--query", out / "q.png", "--out", out,
                         "--unreadable", "skip", "--results", 5, "--pool", pool)
                said = self.neighbours(server, PICTURES[20], f"?k=5&pool={pool}")
                self.assertEqual((said["gallery"], said["pool"]), (12, pool))
                lines = (out / "results.csv").read_text().splitlines()[1:]
                for line, one in zip(lines, said["neighbours"], strict=True):
                    _, _, file, _, cosine = line.split(",")
                    self.assertEqual(one["name"], file.split("/")[-1])
                    self.assertAlmostEqual(one["score"], float(cosine), places=5)
            # Itself first, by its name alone; all there are where more are asked for.
            for i, picture in enumerate(PICTURES[:12]):
                found = self.neighbours(server, picture, "?k=100")["neighbours"]
                self.assertEqual(len(found), 12)
                self.assertAlmostEqual(found[0]["score"], 1)
                self.assertEqual(found[0]["name"], self.name(i))
                self.assertEqual(sorted(one["index"] for one in found), list(range(12)))
                scores = [one["score"] for one in found]
                self.assertEqual(scores, sorted(scores, reverse=True))
            self.assertEqual(len(self.neighbours(server, PICTURES[0])["neighbours"]), 8)
            self.assertNotIn("secret", json.dumps(self.neighbours(server, PICTURES[0], "?k=100")))
            form = server.ask("POST", "/v1/neighbours", *multipart(PICTURES[:1]))
            self.assertEqual(json.loads(form.body), self.neighbours(server, PICTURES[0]))

    def test_thumbnails_and_wrong_requests(self):
        folder = self.gallery()
        (folder / "beside.png").write_bytes(PICTURES[13])  # the folders are no classes here
        with self.serve(folder, "--unreadable", "skip") as server:
            nearest = self.neighbours(server, PICTURES[5], "?k=1")["neighbours"][0]["index"]
            small = server.ask("GET", f"/v1/gallery/{nearest}/thumbnail")
            self.assertEqual((small.status, small.headers["content-type"]), (200, "image/png"))
            self.assertEqual(small.body, server.ask("POST", "/v1/view", PICTURES[5]).body)  # no larger than it may be
            head_alone = server.ask("HEAD", f"/v1/gallery/{nearest}/thumbnail")
            self.assertEqual((head_alone.status, head_alone.body), (200, b""))
            self.assertEqual(int(head_alone.headers["content-length"]), len(small.body))
            version = self.neighbours(server, PICTURES[5])["version"]
            self.assertRegex(version, "^[0-9a-f]{1,16}$")
            named = server.ask("GET", f"/v1/gallery/{nearest}/thumbnail?version={version}")
            self.assertEqual((named.status, named.body), (200, small.body))
            for other in (version + "0", version[1:], ""):
                for index in (nearest, 999999999):
                    path = f"/v1/gallery/{index}/thumbnail?version={other}"
                    self.check_error(server.ask("GET", path), 409, "another_gallery")
            self.assertEqual(server.ask("HEAD", f"/v1/gallery/{nearest}/thumbnail?version=0").status, 409)
            for query, status, code in ((f"vers={version}", 422, "unknown_parameter"), ("index=1", 422, "unknown_parameter"),
                                        ("version=0&version=0", 422, "bad_parameter"), ("version=%", 400, "bad_request")):
                self.check_error(server.ask("GET", f"/v1/gallery/{nearest}/thumbnail?" + query), status, code)
            for index in ("13", "999999999"):
                self.check_error(server.ask("GET", f"/v1/gallery/{index}/thumbnail"), 404, "no_such_picture")
            for index in ("", "-1", "x", "1.0", "0x1", "{index}", "1%30", "9999999999", "../0", "0/..", "broken.png"):
                self.check_error(server.ask("GET", f"/v1/gallery/{index}/thumbnail"), 404, "not_found")
            self.check_error(server.ask("POST", "/v1/gallery/0/thumbnail", PICTURES[0]), 405, "method_not_allowed")
            for query in ("k=0", "k=101", "k=-1", "k=x", "k=", "k=1.5", "pool=all", "k=2&k=3"):
                self.check_error(server.ask("POST", "/v1/neighbours?" + query, PICTURES[0]), 422, "bad_parameter")
            self.check_error(server.ask("POST", "/v1/neighbours?top=1", PICTURES[0]), 422, "unknown_parameter")
            self.check_error(server.ask("POST", "/v1/neighbours", *multipart(PICTURES[:2])), 422, "too_many_pictures")
            self.check_error(server.ask("POST", "/v1/neighbours", b"none"), 400, "bad_picture")
            self.assertIn('route="/v1/gallery/{index}/thumbnail",status="404"', server.ask("GET", "/metrics").body.decode())
            paths = json.loads(server.ask("GET", "/openapi.json").body)["paths"]
            self.assertTrue(paths["/v1/gallery/{index}/thumbnail"]["get"]["parameters"][0]["required"])
            self.assertEqual(server.end(), 0)

    def test_thumbnails_of_large_images_are_small(self):
        larger = self.folder() / "larger.safetensors"
        run_tool("mae_convert", "--model", MODEL, "--image-size", "120x108", "--out", larger)
        folder = self.folder()
        (folder / "noise.png").write_bytes(png(120, 108))
        with self.serve(folder, model=larger) as server:
            small = server.ask("GET", "/v1/gallery/0/thumbnail").body
            self.assertIn(struct.unpack(">II", small[16:24]), ((96, 86), (86, 96)))
            self.assertLess(len(small), 32 << 10)

    def test_the_token_holds_for_it_too(self):
        token = {"MAE_SERVE_TOKEN": "a-token-of-a-test"}
        with Server(PROGRAM, MODEL, "--gallery", str(self.gallery()), "--unreadable", "skip", env=token) as server:
            right = {"Authorization": "Bearer a-token-of-a-test"}
            for method, path, body in (("POST", "/v1/neighbours", PICTURES[0]), ("POST", "/v1/attention", PICTURES[0]),
                                       ("GET", "/v1/gallery/0/thumbnail", None)):
                self.check_error(server.ask(method, path, body), 401, "unauthorized")
                self.assertEqual(server.ask(method, path, body, headers=right).status, 200)

    def test_folders_that_cannot_be_one(self):
        empty, broken, many = self.folder(), self.folder(), self.folder()
        (broken / "b.png").write_bytes(b"no picture")
        (many / "0.png").write_bytes(PICTURES[0])
        for i in range(1, 10_001):
            os.link(many / "0.png", many / f"{i}.png")
        for flags, why in ((("--gallery", str(self.gallery())), "broken.png.*--unreadable skip leaves such files out"),
                           (("--gallery", str(broken), "--unreadable", "skip"), "none of its pictures can be read"),
                           (("--gallery", str(empty)), "holds no pictures"),
                           (("--gallery", str(empty / "nowhere")), "nowhere"),
                           (("--gallery", str(many)), "10001 pictures; a gallery has at most 10000")):
            with self.assertRaisesRegex(RuntimeError, "(?s)ended by [12].*" + why):
                Server(PROGRAM, MODEL, *flags)

    def test_sighup_encodes_it_again(self):
        folder = self.folder()
        for i in range(4):
            (folder / f"{i}.png").write_bytes(PICTURES[i])
        model = self.folder() / "model"
        shutil.copytree(MODEL, model)
        with self.serve(folder, model=model) as server:
            before = self.neighbours(server, PICTURES[6])
            third = server.ask("GET", "/v1/gallery/3/thumbnail").body
            answers = set()

            def ask(_):
                answers.add(json.dumps(self.neighbours(server, PICTURES[6])))
                thumbnail = server.ask("GET", f"/v1/gallery/3/thumbnail?version={before['version']}")
                assert thumbnail.status in (200, 409) and (thumbnail.status == 409 or thumbnail.body == third)

            with asking_all_along(ask) as wrong:
                for i in range(4, 300):
                    (folder / f"{i}.png").write_bytes(PICTURES[i % 40])
                replace_model(model)
                server.process.send_signal(signal.SIGHUP)
                until(lambda: server.metric('mae_serve_reloads_total{result="done"}') == 1, 30)
                after = self.neighbours(server, PICTURES[6])
                self.assertEqual(after["gallery"], 300)
                self.assertAlmostEqual(after["neighbours"][0]["score"], 1)
                self.assertNotEqual(after["version"], before["version"])
                stale = server.ask("GET", f"/v1/gallery/0/thumbnail?version={before['version']}")
                self.check_error(stale, 409, "another_gallery")
                # What is read again and is the same has the same version.
                server.process.send_signal(signal.SIGHUP)
                until(lambda: server.metric('mae_serve_reloads_total{result="done"}') == 2, 30)
                self.assertEqual(self.neighbours(server, PICTURES[6]), after)
                (folder / "4.png").write_bytes(b"broken")
                server.process.send_signal(signal.SIGHUP)
                until(lambda: "not reloaded" in server.log(), 30)
                self.assertEqual(self.neighbours(server, PICTURES[6]), after)
            self.assertEqual(wrong, [])
            # Either the old model among the old pictures, or the new among the new.
            self.assertEqual(answers, {json.dumps(before), json.dumps(after)})
            self.assertEqual(server.end(), 0)

    def test_an_end_does_not_wait_for_it(self):
        folder = self.folder()
        (folder / "0.png").write_bytes(PICTURES[0])
        with self.serve(folder) as server:
            large = png(2000, 2000, colours=(7,))
            (folder / "1.png").write_bytes(large)
            for i in range(2, 2000):
                os.link(folder / "1.png", folder / f"{i}.png")
            server.process.send_signal(signal.SIGHUP)
            time.sleep(0.5)
            start = time.monotonic()
            self.assertEqual(server.end(), 0)
            self.assertLess(time.monotonic() - start, 10)
            self.assertIn("not reloaded", server.log())


class Models(Case):
    def test_other_precisions(self):
        with Server(PROGRAM, MODEL) as exact:
            together = exact.features(*PICTURES)
        count = len(together) // 4
        expected = struct.unpack(f"<{count}f", together)
        for precision in ("bf16", "int8"):
            with self.subTest(precision=precision), Server(PROGRAM, MODEL, "--precision", precision) as server:
                self.assertIn(precision, server.said)
                together = server.features(*PICTURES)
                self.assertEqual(together, b"".join(server.features(picture) for picture in PICTURES))
                values = struct.unpack(f"<{count}f", together)
                error = max(abs(a - b) for a, b in zip(values, expected))
                self.assertTrue(0 < error < 0.1, error)

    def test_an_encoder_alone(self):
        with Server(PROGRAM, fixtures() / "timm_mean" / "model.safetensors", "--heads", "2") as server:
            self.assertNotIn("reconstructions", server.said)
            self.check_error(server.ask("POST", "/v1/reconstruct", PICTURES[0]), 404, "not_offered")
            self.assertNotIn("/v1/reconstruct", json.loads(server.ask("GET", "/openapi.json").body)["paths"])

    def test_classes_are_those_of_the_fine_tuning(self):
        folder = self.folder()
        for part in ("train", "test"):
            for name, colours in (("a, b", range(90)), ("ü", range(70, 256))):
                (folder / "data" / part / name).mkdir(parents=True)
                for i in range(8):
                    (folder / "data" / part / name / f"{i}.png").write_bytes(png(12, 12, i, colours=colours))
        run_tool("mae_finetune", "--model", MODEL, "--data", folder / "data", "--epochs", 30, "--batch", 4,
                 "--base-lr", 0.1, "--evaluate-every", 30, "--out", folder / "out")
        lines = (folder / "out" / "predictions.csv").read_text().splitlines()
        tuned = folder / "out" / "model.safetensors"
        with Server(PROGRAM, tuned, "--classifier", tuned) as server, \
                Server(PROGRAM, MODEL, "--classifier", tuned) as beside:
            self.assertIn("2 classes", server.said)
            pictures = [path.read_bytes() for path in sorted((folder / "data" / "test").glob("*/*.png"))]
            said = json.loads(server.ask("POST", "/v1/classify?top=1", *multipart(pictures)).body)
            self.assertEqual(said, json.loads(beside.ask("POST", "/v1/classify?top=1", *multipart(pictures)).body))
            self.check_predictions(lines, said)
            all_of_one = json.loads(server.ask("POST", "/v1/classify", pictures[0]).body)["predictions"][0]
            self.assertAlmostEqual(sum(each["probability"] for each in all_of_one), 1)
            self.assertEqual({each["class"] for each in all_of_one}, {"a, b", "ü"})
            self.assertIn("/v1/classify", json.loads(server.ask("GET", "/openapi.json").body)["paths"])
            self.check_error(server.ask("POST", "/v1/classify?top=0", pictures[0]), 422, "bad_parameter")
        with self.assertRaisesRegex(RuntimeError, "holds no classifier"):
            Server(PROGRAM, MODEL, "--classifier", str(MODEL))

    def check_predictions(self, lines, said):
        """Of predictions.csv: image,class,predicted,probability."""
        self.assertEqual(len(lines) - 1, len(said["predictions"]), lines[:3])
        found = set()
        for line, (best,) in zip(lines[1:], said["predictions"]):
            index, probability = line.split(",")[-2:]
            self.assertEqual(int(index), best["index"])
            self.assertEqual(best["class"], ("a, b", "ü")[best["index"]])
            self.assertAlmostEqual(float(probability), best["probability"], places=5)
            found.add(best["index"])
        self.assertEqual(found, {0, 1})


class Documents(Case):
    page = (fixtures().parent.parent.parent / "docs" / "serving.md").read_text(encoding="utf-8")

    def test_every_flag_is_described(self):
        said = subprocess.run([PROGRAM, "--help"], capture_output=True, check=True).stdout.decode()
        flags = re.findall(r"^  --([a-z-]+)", said, re.MULTILINE)
        self.assertGreater(len(flags), 20)
        for flag in flags:
            self.assertIn("--" + flag, self.page)

    def test_every_route_and_status_is_described(self):
        folder = self.folder()
        (folder / "a.png").write_bytes(PICTURES[0])
        with Server(PROGRAM, MODEL, "--gallery", str(folder)) as server:
            paths = json.loads(server.ask("GET", "/openapi.json").body)["paths"]
        for path, methods in paths.items():
            self.assertIn(path.replace("{index}", "INDEX"), self.page)
            for said in methods.values():
                for status in set(said["responses"]) - {"200"}:
                    self.assertIn(f"\n| {status} | ", self.page)
                for parameter in said["parameters"]:
                    self.assertEqual(parameter["in"], "path" if "{" + parameter["name"] + "}" in path else "query")
                    if parameter["in"] == "query":
                        self.assertRegex(self.page, f"[?&]{parameter['name']}=")

    @unittest.skipUnless(shutil.which("curl"), "there is no curl")
    def test_its_commands_work(self):
        folder = self.folder()
        shutil.copytree(MODEL, folder / "vit-mae")
        (folder / "pictures").mkdir()
        (folder / "pictures" / "drawing1.png").write_bytes(PICTURES[0])
        shutil.copy(fixtures().parent.parent / "images" / "fixtures" / "photo.jpg", folder / "pictures" / "photo1.jpg")
        (folder / "mae_serve").symlink_to(PROGRAM)
        commands = "\n".join(re.findall(r"^```sh$(.*?)^```$", self.page, re.MULTILINE | re.DOTALL))
        for _ in range(5):
            with Server(PROGRAM, MODEL) as server:
                port = str(server.port)  # free when it has ended, unless another takes it
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands.replace("8080", port)], cwd=folder,
                                  env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}, capture_output=True,
                                  timeout=60, check=False)
            if "cannot listen" not in (folder / "serve.log").read_text():
                break
        self.assertEqual(done.returncode, 0, done.stderr.decode() + (folder / "serve.log").read_text())
        self.assertEqual((folder / "features.f32").stat().st_size, 64)
        self.assertIn("ended", (folder / "serve.log").read_text())


if __name__ == "__main__":
    unittest.main()
