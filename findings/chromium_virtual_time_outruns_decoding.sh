#!/usr/bin/env bash
# Headless Chromium's virtual clock waits for everything that a page waits for, but not for a picture being decoded.
#
# Version: chromium 156.0.8078.108-1~deb12u1 (Debian 12, amd64)
#
# With --virtual-time-budget a page's clock jumps from timer to timer while nothing is being done. Being done are
# downloads, an image's load event, canvas.toBlob, a compression stream, a worker: 0 to 10 ms pass for each. Decoding a
# picture on the browser's own threads does not count: while image.decode() or createImageBitmap() is under way, the
# clock runs as fast as timers fire. Of a picture of 3000x3000 pixels whose decoding takes a fraction of a second the
# page says that 39,700 ms went by (createImageBitmap: 26,575), in a browser that was started and ended within 6 s. So a
# time-out in a page's own code, or a test that polls "for ten seconds", fires at once, more often the busier the
# machine is, and a screenshot or --dump-dom by a virtual budget may be of a page that still waits for its picture. What
# is tested with real time, and told by the page when it is done, is not concerned.
set -euo pipefail

version=156.0.8078.108-1~deb12u1
if ! command -v apt-get > /dev/null || [ "$(dpkg --print-architecture)" != amd64 ]; then
  echo "skipped: no Debian on amd64" && exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
if ! apt-get download -qq "chromium=$version" "chromium-common=$version" 2> apt.log; then
  echo "skipped: chromium $version is not to be had: $(tail -n 1 apt.log)" && exit 0
fi
for package in ./*.deb; do dpkg -x "$package" .; done
if ldd usr/lib/chromium/chromium | grep 'not found'; then
  echo "skipped: these libraries are missing" && exit 0
fi

cat > page.html << 'PAGE'
<!doctype html><pre></pre><script>
(async () => {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 3000;
  const pen = canvas.getContext("2d");
  for (let i = 0; i < 3000; ++i) {
    pen.fillStyle = `hsl(${i * 37 % 360} 90% 50%)`;
    pen.fillRect(i * 7919 % 3000, i * 104729 % 3000, 200, 300);
  }
  const blob = await new Promise(done => canvas.toBlob(done, "image/png"));
  const image = new Image();
  const address = URL.createObjectURL(blob);
  const loop = new Blob(["let sum = 0; for (let i = 0; i < 1e8; ++i) sum += i; postMessage(sum)"]);
  const work = {
    load: () => new Promise(done => { image.onload = done; image.src = address; }),
    toBlob: () => new Promise(done => canvas.toBlob(done, "image/png")),
    gzip: () => new Response(blob.stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer(),
    worker: () => new Promise(done => { new Worker(URL.createObjectURL(loop)).onmessage = done; }),
    decode: () => { image.src = address; return image.decode(); },
    createImageBitmap: () => createImageBitmap(blob),
  }[location.hash.slice(1)];
  const start = performance.now();
  let isDone = false;
  const say = () => { document.querySelector("pre").textContent = Math.round(performance.now() - start); };
  setInterval(() => isDone || say(), 25);
  await work();
  isDone = true;
  say();
})();
</script>
PAGE

passed() {  # the milliseconds that a page says went by, of a budget of 60,000
  usr/lib/chromium/chromium --headless=new --no-sandbox --disable-gpu --user-data-dir="$folder/profile" \
    --virtual-time-budget=60000 --dump-dom "file://$folder/page.html#$1" 2> /dev/null | grep -oP '(?<=<pre>)[0-9]+(?=</pre>)'
}
for work in load toBlob gzip worker decode createImageBitmap; do
  begun=$SECONDS
  milliseconds=$(passed "$work")
  echo "$work: the page says $milliseconds ms, the browser ran for $((SECONDS - begun)) s in all"
  case $work in
    decode | createImageBitmap) [ "$milliseconds" -gt 2000 ] || { echo "the clock waits for it now"; exit 1; } ;;
    *) [ "$milliseconds" -lt 500 ] || { echo "the clock does not wait for it any more"; exit 1; } ;;
  esac
done
