#!/usr/bin/env python3
"""The page of mae_serve in headless Chromium, on a telephone's width too: it hides patches by clicks and
keys, shows reconstructions and similarities, survives a file that is no picture, and says nothing on
the console. Exit status 77 where no Chromium is installed.

    page_test.py PROGRAM
    page_test.py PROGRAM SCREENSHOT.png MODEL    what the page shows of a model, as a picture
"""

import http.server
import json
import math
import queue
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path

sys.dont_write_bytecode = True
from serving import Server, fixtures, png, png_of  # noqa: E402

# Drives the page in a frame of the same origin, and sends what went wrong to /driven.
DRIVER = """<!doctype html><meta charset="utf-8">
<iframe src="/" style="width:%(width)dpx;height:1600px;border:0"></iframe>
<script>
const faults = [];
const check = (holds, what) => { if (!holds) faults.push(what); };
const sleep = time => new Promise(done => setTimeout(done, time));
async function until(holds, what) {
  for (let i = 0; i < 400; ++i) { if (holds()) return; await sleep(25); }
  throw new Error("it did not happen: " + what);
}
async function drive(frame) {
  const page = frame.contentDocument;
  const at = id => page.getElementById(id);
  const seen = () => at("seen").textContent;
  const painted = () => at("painted").src;
  const isBad = () => at("status").classList.contains("bad");
  const sample = name => page.querySelector(`[data-sample=${name}]`).click();
  await until(isBad, "that the model is not told is said");  // the first time, see below
  check(at("stage").hidden, "the stage is empty before there is a picture");
  sample("shapes");
  await until(() => at("model").textContent.includes("blocks"), "the model is asked for again");
  await until(() => painted().startsWith("blob:") && at("painted").naturalWidth > 0, "a reconstruction shows");
  await until(() => at("status").textContent.startsWith("Painted"), "it is said");
  const patches = at("grid").children;
  check(patches.length === %(patches)d, "a button for each patch");
  const hidden = () => [...patches].filter(one => one.getAttribute("aria-pressed") === "true").length;
  check(hidden() === Math.round(.75 * patches.length), "three quarters are hidden");
  const paint = async (act, what) => { const before = painted(); act(); await until(() => painted() !== before, what); };

  // by keys, as a click without a pointer is
  const before = hidden();
  patches[0].focus();
  const was = patches[0].getAttribute("aria-pressed") === "true";
  await paint(() => patches[0].click(), "a patch is hidden or shown, and painted");
  check(hidden() === before + (was ? -1 : 1), "one patch changes");
  check(at("policy").value === "own", "the mask is one's own then");
  patches[0].dispatchEvent(new frame.contentWindow.KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
  check(page.activeElement === patches[1], "the arrows move");
  patches[3].focus();
  check([...patches].filter(one => one.tabIndex === 0).length === 1 && patches[3].tabIndex === 0, "one is reached by tab");

  // by a pointer that is dragged
  const pointer = (kind, patch, more = {}) => {
    const box = patches[patch].getBoundingClientRect();
    patches[patch].dispatchEvent(new frame.contentWindow.PointerEvent(kind, {bubbles: true, pointerId: 1, isPrimary: true,
      clientX: box.left + box.width / 2, clientY: box.top + box.height / 2, ...more}));
  };
  at("grid").setPointerCapture = () => {};  // of a pointer that there is not
  const mask = () => [...patches].map(one => one.getAttribute("aria-pressed")).join();
  const untouched = mask();
  for (const more of [{button: 2}, {isPrimary: false}])
    for (const kind of ["pointerdown", "pointermove", "pointerup"]) {
      pointer(kind, 7, more);
      check(mask() === untouched, "another button or a second finger hides nothing");
    }
  const touch = id => frame.contentWindow.getComputedStyle(at(id)).touchAction;
  check(touch("grid") === "none" && touch("tokens") === "auto", "a finger scrolls but on the grid");
  const goal = patches[4].getAttribute("aria-pressed") !== "true";
  await paint(() => { pointer("pointerdown", 4); pointer("pointermove", 5); pointer("pointerup", 5); }, "a drag is painted");
  for (const patch of [4, 5]) check((patches[patch].getAttribute("aria-pressed") === "true") === goal, "a drag hides all");

  for (const policy of ["block", "grid", "column", "uniform"])
    await paint(() => { at("policy").value = policy; at("policy").dispatchEvent(new Event("input")); }, policy);
  await paint(() => at("another").click(), "another seed");
  await paint(() => at("all").click(), "all patches painted");
  const hold = kind => at("compare").dispatchEvent(new frame.contentWindow.PointerEvent(kind, {isPrimary: true}));
  const isHeld = () => !at("held").hidden;
  await paint(() => { at("another").click(); hold("pointerdown"); }, "painted while it is held");
  check(isHeld() && at("held").src === at("original").src && painted() !== at("original").src, "the original while it is held");
  check(isHeld() && at("held").getBoundingClientRect().top === at("painted").getBoundingClientRect().top, "over what is painted");
  hold("pointerup");
  check(!isHeld(), "and what was painted again");
  for (const id of ["original", "painted"])
    await fetch(at(id).src).catch(() => faults.push("gone: " + id));

  // a mask that is changed while a picture is on its way, as all others are
  const theirs = frame.contentWindow.fetch;
  const bodies = {};
  let isReadAgain = false;
  let refused = [];
  frame.contentWindow.fetch = async (path, options) => {
    for (const kind of ["view", "tokens", "reconstruct"]) if (path.startsWith("/v1/" + kind)) bodies[kind] = options.body;
    if (path === "/v1/view") await sleep(600);
    if (refused.some(one => path.startsWith(one)))
      return new frame.contentWindow.Response('{"error": {"message": "refused here"}}', {status: 429});
    if (path.includes("/thumbnail")) {
      check(/[?]version=[0-9a-f]+$/.test(path), "a thumbnail of that gallery: " + path);
      if (isReadAgain) path += "0";  // of another, as if it was read again since
      isReadAgain = false;
    }
    return theirs.call(frame.contentWindow, path, options);
  };
  const isSettled = () => !page.body.classList.contains("busy");
  const [first, firstPainted] = [at("original").src, painted()];
  sample("stripes");
  await until(() => bodies.view, "it is sent");
  at("another").click();
  await sleep(300);
  check(at("original").src === first && painted() === firstPainted, "nothing is shown until all is here");
  await until(() => at("original").src !== first, "the other picture shows");
  await until(() => painted() !== firstPainted, "and is painted");
  await until(isSettled, "to the end");
  check(bodies.reconstruct === bodies.tokens && bodies.reconstruct === bodies.view, "of one and the same file");
  check(at("compared").src === at("original").src && at("held").src === at("original").src, "and everywhere");
  check(at("painted").style.visibility === "", "and painted for all to see");

  const tokens = at("tokens").children;
  tokens[0].click();
  check(tokens[0].getAttribute("aria-pressed") === "true" && tokens[0].title === "cosine 1.00", "alike to itself");
  check(new Set([...tokens].map(one => one.style.background)).size > 4, "colours tell how alike");

  // attention instead of similarity, of a patch and of the class token, and of another block
  const shows = word => () => [...tokens].every(one => one.title.startsWith(word));
  const titles = () => [...tokens].map(one => one.title).join();
  const shown = kind => page.querySelector(`#shown [value=${kind}]`).click();
  const chosen = () => [...tokens].filter(one => one.getAttribute("aria-pressed") === "true").length;
  check(at("of-block").hidden, "a block is chosen of attention alone");
  shown("attention");
  await until(shows("gets"), "attention shows");
  check(!at("of-block").hidden && at("block").value === `${at("block").length}`, "of the last block");
  const ofPatch = titles();
  at("class-token").click();
  check(at("class-token").getAttribute("aria-pressed") === "true" && chosen() === 0, "the class token is chosen");
  check(titles() !== ofPatch && shows("gets")(), "and where it looks shows");
  const sum = [...tokens].reduce((all, one) => all + parseFloat(one.title.split(" ")[1]), 0);
  check(sum > 20 && sum < 101, "shares of one, in per cent: " + sum);
  const ofLast = titles();
  at("block").value = "1";
  at("block").dispatchEvent(new Event("change"));
  await until(() => shows("gets")() && titles() !== ofLast, "another block shows");
  tokens[5].focus();
  tokens[5].dispatchEvent(new frame.contentWindow.KeyboardEvent("keydown", {key: "ArrowDown", bubbles: true}));
  check(page.activeElement === tokens[9], "the arrows move here, too");
  tokens[9].click();
  check(chosen() === 1 && tokens[9].getAttribute("aria-pressed") === "true", "and the space bar chooses");

  // what is near in the gallery
  const near = () => [...at("neighbours").children];
  const change = (id, value) => { at(id).value = value; at(id).dispatchEvent(new Event("change")); };
  await until(() => near().length === 8, "neighbours show");
  change("k", "4");
  await until(() => near().length === 4, "fewer of them");
  check(near().every(one => one.querySelector("img").naturalWidth > 0), "with thumbnails");
  const isNamed = one => /^([0-9]+|<img src=x>)[.]pngcosine -?[01][.][0-9]{3}$/.test(one.textContent);
  change("k", "16");
  await until(() => near().length === 12, "all there are");
  check(near().every(isNamed), "and names: " + near()[0].textContent);
  check(near().some(one => one.textContent.startsWith("<")) && !page.querySelector("#neighbours [src=x]"), "which are text");
  change("k", "4");
  await until(() => near().length === 4, "fewer again");
  const old = near()[0];
  isReadAgain = true;
  change("pool", "class");
  await until(() => near().length === 4 && near()[0] !== old, "others by the class token");
  check(at("searched").textContent.startsWith("4 of 12"), "how many is said");

  // what is refused is said where it would be, whatever is painted meanwhile
  refused = ["/v1/attention", "/v1/neighbours"];
  change("block", "2");
  await until(() => at("explained").textContent === "refused here", "that attention is refused is said");
  tokens[3].click();
  check(at("explained").textContent === "refused here" && tokens[3].title === "", "for as long as it is");
  change("k", "8");
  await until(() => at("searched").textContent === "refused here" && near().length === 0, "and that neighbours are");
  refused = [];
  change("block", "1");
  await until(shows("gets"), "attention shows again");
  check(at("explained").textContent.startsWith("Choose"), "and is explained");
  change("k", "4");
  await until(() => near().length === 4, "and neighbours");

  // another picture, of which attention and neighbours are asked for again
  const ofStripes = titles();
  sample("hills");
  await until(() => shows("gets")() && titles() !== ofStripes, "attention of another picture");
  await until(() => near().length === 4 && near()[0] !== old, "neighbours of another picture");
  const hills = at("original").src;
  sample("stripes");
  await until(() => at("original").src !== hills, "the first again");
  await until(() => bodies.reconstruct === bodies.view && isSettled() && near().length === 4, "with all of it");
  shown("similarity");
  check(shows("cosine")() && at("of-block").hidden, "similarity again");

  const good = bodies.view;
  // broken files, the second before the first is refused
  const give = name => {
    const broken = new DataTransfer();
    broken.items.add(new File(["no picture"], name, {type: "image/png"}));
    at("file").files = broken.files;
    at("file").dispatchEvent(new Event("change"));
  };
  const isSent = name => until(() => bodies.view.name === name, name + " is sent");
  give("broken.png");
  await isSent("broken.png");
  give("other.png");
  await isSent("other.png");
  await until(isBad, "a broken upload is said");
  await paint(() => at("another").click(), "and the page goes on");
  check(bodies.reconstruct === good && !isBad(), "with the picture that it had");
  give("last.png");
  await isSent("last.png");
  await paint(() => at("another").click(), "what was changed meanwhile is painted");
  check(bodies.reconstruct === good && isBad(), "and the file is refused");

  // a token that is asked for in the middle
  let isRefused = true;
  frame.contentWindow.fetch = async (path, options) =>
    isRefused ? new frame.contentWindow.Response('{"error":{"message":"a token"}}', {status: 401}) : theirs.call(frame.contentWindow, path, options);
  at("another").click();
  await until(() => !at("unlock").hidden, "a token is asked for");
  isRefused = false;
  const masked = mask();
  at("token").value = "a-token";
  await paint(() => at("unlock").requestSubmit(), "it goes on with a token");
  check(at("unlock").hidden && mask() === masked, "with the mask that was there");
  check(tokens.length === patches.length && [...tokens].every(one => one.title), "and what is alike");
  await until(() => near().length === 4, "and what is near");
  const root = page.documentElement;
  check(root.scrollWidth <= root.clientWidth, `${root.scrollWidth} pixels in ${root.clientWidth}`);
  for (const control of page.querySelectorAll("button, input, select"))
    check(control.getAttribute("aria-label") || control.textContent.trim() || control.labels?.length, "without a name: " + control.outerHTML.slice(0, 80));

  // a server that offers neither
  shown("attention");
  frame.contentWindow.fetch = async (path, options) => {
    const reply = await theirs.call(frame.contentWindow, path, options);
    if (path !== "/v1/model") return reply;
    return new frame.contentWindow.Response(JSON.stringify({...await reply.json(), attention: false, gallery: null}));
  };
  at("unlock").requestSubmit();
  await until(() => at("gallery").hidden && at("shown").hidden, "what is not offered is hidden");
  await until(shows("cosine"), "and similarity shows");
}
document.querySelector("iframe").onload = event => {
  const frame = event.target;
  frame.contentWindow.addEventListener("error", e => faults.push(e.message));
  frame.contentWindow.addEventListener("unhandledrejection", e => faults.push(String(e.reason)));
  drive(frame).catch(error => faults.push(error.message))
    .finally(() => fetch("/driven", {method: "POST", body: JSON.stringify(faults)}));
};
</script>
"""


# Shows the page in the whole window. What the image waits for holds up the load event, which a screenshot waits for.
SHOWN = """<!doctype html><meta charset="utf-8"><style>body{margin:0}iframe{border:0;display:block;width:100vw;height:100vh}
</style><iframe src="/"></iframe><img src="/shown" alt="" style="position:absolute;opacity:0"><script>
const sleep = time => new Promise(done => setTimeout(done, time));
document.querySelector("iframe").onload = async event => {
  const page = event.target.contentDocument;
  const at = id => page.getElementById(id);
  const is = async holds => { while (!holds()) await sleep(50); };
  page.querySelector("[data-sample=hills]").click();
  await is(() => at("status").textContent.startsWith("Painted"));
  at("seed").value = 4;
  at("another").click();
  page.querySelector("#shown [value=attention]").click();
  await is(() => at("tokens").children[0].title.startsWith("gets"));
  await is(() => at("neighbours").children.length === 8);
  await sleep(500);
  fetch("/driven", {method: "POST", body: "[]"});
};
</script>
"""


def drawn(kind, seed, side=64):
    """A PNG of hills, shapes or stripes, as the page's samples are, of other sizes, places and colours."""
    of = random.Random(seed)
    colours = [tuple(of.randrange(256) for _ in range(3)) for _ in range(4)]
    a, b, c, d = (of.random() for _ in range(4))

    def hills(x, y):
        if y > .85 - .1 * d * math.sin(9 * x + 6 * a) ** 2:
            return 39, 76, 44
        if y > .6 + .2 * c - .15 * math.sin(6 * x + 6 * b) ** 2:
            return 92, 127 - int(40 * a), 103
        if math.hypot(x - .2 - .6 * b, y - .25) < .1:
            return 255, 243, 176
        return tuple(int(low + (high - low) * y) for low, high in zip((58, 123, 213), (246, 214, 168)))

    def shapes(x, y):
        if math.hypot(x - .3 - .1 * a, y - .3) < .1 + .1 * b:
            return colours[0]
        if .6 < x < .7 + .2 * c and .15 < y < .5:
            return colours[1]
        return colours[2] if .5 < y < .9 and abs(x - .5) < y - .5 else (244, 239, 230)

    def stripes(x, y):
        return colours[0] if (x + (d - .5) * y) * (4 + 4 * c) % 1 < .5 else colours[1]

    paint = {"hills": hills, "shapes": shapes, "stripes": stripes}[kind]
    rows = b"".join(b"\0" + b"".join(bytes(paint(x / side, y / side)) for x in range(side)) for y in range(side))
    return png_of(side, side, rows)


def take_screenshot(browser, program, path, model, more=()):
    """The page in the state that SHOWN brings it to."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        pictures = Path(scratch) / "pictures"
        pictures.mkdir()
        for kind in ("hills", "shapes", "stripes"):
            for seed in range(16):
                (pictures / f"{kind}-{seed:02}.png").write_bytes(drawn(kind, seed))
        server = Server(program, model, "--gallery", str(pictures))
        handler = make_handler(f"http://127.0.0.1:{server.port}", SHOWN, queue.Queue())
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            subprocess.run(
                [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={scratch}/user",
                 "--hide-scrollbars", "--window-size=1024,1690", f"--screenshot={path}", *more,
                 f"http://127.0.0.1:{proxy.server_address[1]}/drive"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=True)
            proxy.shutdown()
        server.end()


def make_handler(target, driver, driven):
    """Serves the driver at /drive, puts what it sends into `driven`, for which /shown waits, and hands all else
    to the server, but for the first question, which fails."""
    failing = ["/v1/model"]

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            status, headers, body = 200, {"Content-Type": "text/html"}, driver.encode()
            if self.path in failing:
                failing.remove(self.path)
                status, body = 500, b"{}"
            elif self.path == "/driven":
                driven.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            elif self.path == "/shown":
                driven.get(timeout=100)
            elif self.path != "/drive":
                asked = urllib.request.Request(target + self.path, method=self.command)
                for name in ("Accept", "Content-Type"):
                    if name in self.headers:
                        asked.add_header(name, self.headers[name])
                if self.command == "POST":
                    asked.data = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    with urllib.request.urlopen(asked) as got:
                        status, headers, body = got.status, got.headers, got.read()
                except urllib.error.HTTPError as error:
                    status, headers, body = error.code, error.headers, error.read()
            self.send_response(status)
            for name in ("Content-Type", "Content-Security-Policy", "X-MAE-Shape", "X-MAE-Mask"):
                if headers.get(name):
                    self.send_header(name, headers[name])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer

        def log_message(self, *words):
            pass

    return Handler


def drive(browser, url, driven):
    """What a browser that opens `url` finds wrong until it is driven, and what it says on its console. In
    real time: a virtual clock does not wait for what other threads decode, and runs ahead on a busy machine."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch, tempfile.TemporaryFile("w+") as log:
        running = subprocess.Popen(
            [browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", f"--user-data-dir={scratch}",
             "--enable-logging=stderr", "--window-size=1400,1700", url],
            stdout=subprocess.DEVNULL, stderr=log)
        try:
            faults = driven.get(timeout=100)
        except queue.Empty:
            faults = ["the page was not driven to the end"]
        finally:
            running.terminate()
            running.wait()
        log.seek(0)
        # a refusal of the broken picture is said by the browser, too, and the failure of the first question
        expected = ("400 (Bad Request)", "500 (Internal Server Error)")
        return faults + [line for line in log.read().splitlines()
                         if "CONSOLE" in line and not any(part in line for part in expected)]


def main():
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("skipped: no Chromium is installed")
        return 77
    if len(sys.argv) > 2:
        take_screenshot(browser, *sys.argv[1:4])
        return 0
    gallery = tempfile.TemporaryDirectory()
    for i in range(12):
        name = f"{i:02}.png" if i < 11 else "<img src=x>.png"
        (Path(gallery.name) / name).write_bytes(png(12, 12, i))
    server = Server(sys.argv[1], fixtures() / "rgb", "--gallery", gallery.name)
    faults = []
    for width in (390, 1280):
        driven = queue.Queue()
        handler = make_handler(f"http://127.0.0.1:{server.port}", DRIVER % {"width": width, "patches": 16}, driven)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as proxy:
            threading.Thread(target=proxy.serve_forever, daemon=True).start()
            found = drive(browser, f"http://127.0.0.1:{proxy.server_address[1]}/drive", driven)
            proxy.shutdown()
        faults += [f"{width} pixels: {fault}" for fault in found]
    code = server.end()
    if code != 0:
        faults.append(f"the server ended by {code}: {server.log()}")
    print("\n".join(faults) or "the page, 390 and 1280 pixels wide: no fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
