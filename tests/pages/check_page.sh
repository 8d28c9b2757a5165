#!/usr/bin/env bash
# Opens pages in headless Chromium, 390 and 1280 pixels wide, in light and in dark: nothing may overflow
# sideways, be fetched, fail to show or be said on the console. A page that is known to be wrong must
# be found so first. Exit status 77 where no Chromium is installed.
#
# Usage: check_page.sh PAGE...
set -euo pipefail
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -n "$browser" ] || { echo "skipped: no Chromium is installed" && exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# What is wrong with a page at a width, a line each.
faults() {  # page, width, more of the browser's flags
  local page=$1 width=$2 html
  shift 2
  {
    head -n 1 "$page"  # the document's type
    echo '<script>var errors = []; addEventListener("error", e => errors.push(e.message || e.target.tagName), true)</script>'
    tail -n +2 "$page"
    cat << 'PROBE'
<script>addEventListener("load", () => {
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) errors.push(`${root.scrollWidth} pixels in ${root.clientWidth}`);
  for (const image of document.images) if (!image.naturalWidth) errors.push("a picture does not show");
  for (const got of performance.getEntriesByType("resource"))
    if (!got.name.startsWith("data:")) errors.push(`fetches ${got.name}`);
  if (document.body.innerText.length < 40) errors.push("nothing to read");
  parent.postMessage(`width ${innerWidth}\n${errors.map(e => `fault: ${e}\n`).join("")}seen`, "*");
})</script>
PROBE
  } > "$scratch/page.html"
  # A window is 500 pixels wide at least; a frame is as wide as one likes.
  cat > "$scratch/frame.html" << FRAME
<!doctype html><pre></pre><script>
onmessage = e => document.querySelector("pre").textContent += e.data;
</script><iframe src="page.html" style="width:${width}px;height:900px;border:0"></iframe>
FRAME
  html=$("$browser" --headless=new --no-sandbox --disable-gpu --hide-scrollbars --no-first-run \
    --user-data-dir="$scratch/profile" --force-device-scale-factor=1 --enable-logging=stderr \
    --window-size=1400,1000 --virtual-time-budget=2000 "$@" --dump-dom "file://$scratch/frame.html" 2> "$scratch/log")
  grep -o 'fault: .*' <<< "$html" || true
  grep -q "width $width" <<< "$html" || echo "fault: not $width pixels wide"
  grep -q seen <<< "$html" || echo "fault: the page was not read"
  grep 'CONSOLE' "$scratch/log" || true
}

cat > "$scratch/wrong.html" << 'WRONG'
<!doctype html>
<meta charset="utf-8"><div style="width:500px;margin:0">This page is wider than a telephone's.</div>
<img src="none.png" alt=""><script>throw new Error("on purpose")</script>
WRONG
found=$(faults "$scratch/wrong.html" 390)
for fault in "pixels in 390" "a picture does not show" "on purpose"; do
  grep -q "$fault" <<< "$found" || { echo "a page with this fault passed: $fault" >&2 && exit 1; }
done

wrong=0
for page in "$@"; do
  for width in 390 1280; do
    for scheme in light dark; do
      flags=()
      [ "$scheme" = light ] || flags=(--blink-settings=preferredColorScheme=0)
      found=$(faults "$page" "$width" "${flags[@]}")
      [ -z "$found" ] || { echo "$page, $width pixels, $scheme: $found" >&2 && wrong=1; }
    done
  done
done
[ "$wrong" = 0 ] && echo "$# pages, no fault"
