"use strict";
const element = id => document.getElementById(id);
const state = {file: null, token: "", model: null, hidden: [], tokens: null, attention: null, refusal: null, chosen: 0,
  drag: null, asked: {}, takes: 0, isTaking: false, isMissed: false};

// ---- the server ----

/// Asks the server; throws what it says where that is an error.
async function ask(path, options = {}) {
  const headers = {...options.headers};
  if (state.token) headers.Authorization = "Bearer " + state.token;
  const reply = await fetch(path, {...options, headers});
  if (reply.ok) return reply;
  if (reply.status === 401) element("unlock").hidden = false;
  const said = await reply.json().catch(() => null);
  const error = new Error(said?.error?.message ?? `the server answered ${reply.status}`);
  throw Object.assign(error, {status: reply.status});
}
const send = (path, accept, file = state.file) =>
  ask(path, {method: "POST", body: file, headers: {"Content-Type": "application/octet-stream", Accept: accept}});

function say(text, isBad = false) {
  element("status").textContent = text;
  element("status").classList.toggle("bad", isBad);
}
/// Lets an answer count only where nothing of its kind was asked since; `fail` gets what went wrong.
async function guarded(work, kind = "picture", fail = text => say(text, true)) {
  const turn = (state.asked[kind] ?? 0) + 1;
  state.asked[kind] = turn;
  const isLast = () => turn === state.asked[kind];
  const isBusy = on => kind === "picture" && document.body.classList.toggle("busy", on);
  isBusy(true);
  try {
    await work(isLast);
  } catch (error) {
    if (isLast()) fail(error.message);
  } finally {
    if (isLast()) isBusy(false);
  }
}
/// The address of a picture that can be shown at once.
async function pictureOf(reply) {
  const picture = new Image();
  picture.src = URL.createObjectURL(await reply.blob());
  await picture.decode();
  return picture.src;
}
/// In images that all show the same.
function show(picture, ...ids) {
  const old = element(ids[0]).src;
  for (const id of ids) element(id).src = picture;
  if (old.startsWith("blob:")) URL.revokeObjectURL(old);
}

// ---- masks ----

/// Numbers in [0, 1) by a seed (Steele and Vigna's SplitMix, in 32 bits).
function numbers(seed) {
  let at = seed >>> 0;
  return () => {
    at = (at + 0x9e3779b9) >>> 0;
    let word = at ^ (at >>> 16);
    word = Math.imul(word, 0x21f0aaad);
    word ^= word >>> 15;
    word = Math.imul(word, 0x735a2d97);
    return ((word ^ (word >>> 15)) >>> 0) / 2 ** 32;
  };
}
const lowest = (scores, count) => {
  const order = scores.map((score, patch) => [score, patch]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const hidden = scores.map(() => 0);
  for (const [, patch] of order.slice(0, count)) hidden[patch] = 1;
  return hidden;
};
/// By a score for each patch: the lowest are hidden.
const policies = {
  uniform: (rows, columns, next) => Array.from({length: rows * columns}, next),
  block(rows, columns, next, share) {
    const [height, width] = [rows, columns].map(side => Math.min(side, Math.max(1, Math.round(side * Math.sqrt(share)))));
    const top = Math.floor(next() * (rows - height + 1));
    const left = Math.floor(next() * (columns - width + 1));
    return Array.from({length: rows * columns}, (_, patch) => {
      const row = Math.floor(patch / columns), column = patch % columns;
      const away = (at, first, size) => Math.max(0, first - at, at - first - size + 1);
      return Math.max(away(row, top, height), away(column, left, width)) + 1e-3 * Math.abs(row - top);
    });
  },
  grid(rows, columns, next) {
    const bayer = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];
    const down = Math.floor(4 * next()), right = Math.floor(4 * next());
    return Array.from({length: rows * columns}, (_, patch) =>
      bayer[(Math.floor(patch / columns) + down) % 4][(patch + right) % columns % 4]);
  },
  column: (rows, columns) => Array.from({length: rows * columns}, (_, patch) => columns - patch % columns),
};
function drawMask() {
  const policy = element("policy").value;
  if (policy === "own") return;
  const {rows, columns} = state;
  const share = element("ratio").value / 100;
  const count = Math.min(rows * columns - 1, Math.max(1, Math.round(share * rows * columns)));
  state.hidden = lowest(policies[policy](rows, columns, numbers(Number(element("seed").value)), share), count);
}
function showMask() {
  const all = element("grid").children;
  state.hidden.forEach((hidden, patch) => all[patch].setAttribute("aria-pressed", hidden === 1));
  const hidden = state.hidden.filter(Boolean).length;
  element("seen").textContent = `${state.hidden.length - hidden} of ${state.hidden.length} patches`;
}
function setPatch(patch, hidden) {
  if (state.hidden[patch] === hidden) return;
  element("policy").value = "own";
  state.hidden[patch] = hidden;
  showMask();
}

// ---- what is shown ----

const reconstructs = () => state.model.reconstructs;
let waiting = 0;
function paintSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(paint, 120);
}
/// Not while a picture is taken, which is painted after that. `isQuiet` leaves what was said.
async function paint(isQuiet = false) {
  if (state.isTaking) {
    state.isMissed = true;
    return;
  }
  if (!state.file || !reconstructs()) return;
  const hidden = state.hidden.filter(Boolean).length;
  if (hidden === 0) return say("Nothing is hidden: hide a patch to have it painted.");
  if (hidden === state.hidden.length) return say("All is hidden: show a patch, to paint from.");
  await guarded(async isLast => {
    const view = element("all").checked ? "painted" : "pasted";
    const reply = await send(`/v1/reconstruct?mask=${state.hidden.join("")}&view=${view}`, "image/png");
    const picture = await pictureOf(reply);
    if (!isLast()) return URL.revokeObjectURL(picture);
    show(picture, "painted");
    element("painted").style.visibility = "";
    if (!isQuiet) say(`Painted ${hidden} patches.`);
  });
}
/// Turbo's colours, at five places.
function heat(value) {
  const stops = [[48, 18, 59], [70, 98, 215], [27, 208, 213], [162, 252, 60], [251, 128, 34]];
  const at = Math.min(0.999, Math.max(0, value)) * 4;
  const part = at - Math.floor(at);
  return stops[Math.floor(at)].map((from, i) => Math.round(from + part * (stops[Math.floor(at) + 1][i] - from)));
}
const classToken = -1;  // chosen instead of a patch
const isAttending = () => element("shown").querySelector(":checked").value === "attention";
/// Colours patches by numbers from `least` to `greatest`, which `word` puts into words.
function colourPatches(numbers, least, greatest, word) {
  element("least").textContent = numbers ? word(least) : "";
  element("greatest").textContent = numbers ? word(greatest) : "";
  element("class-token").setAttribute("aria-pressed", state.chosen === classToken);
  [...element("tokens").children].forEach((button, patch) => {
    button.setAttribute("aria-pressed", patch === state.chosen);
    button.style.background = numbers ? `rgb(${heat((numbers[patch] - least) / (greatest - least || 1)).join(" ")} / .72)` : "";
    button.title = numbers ? `${isAttending() ? "gets" : "cosine"} ${word(numbers[patch])}` : "";
  });
}
function showSimilarity() {
  const {values, width} = state.tokens;
  const token = patch => values.subarray((patch + 1) * width, (patch + 2) * width);
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const own = token(state.chosen);
  const cosines = state.hidden.map((_, patch) => {
    const other = token(patch);
    return dot(own, other) / Math.sqrt(dot(own, own) * dot(other, other));
  });
  colourPatches(cosines, Math.min(...cosines), Math.max(...cosines), value => value.toFixed(2));
}
/// Nothing until it is here.
function showAttention() {
  const tokens = state.hidden.length + 1;
  const first = (state.chosen + 1) * tokens + 1;  // after what is taken of the class token
  const taken = state.attention && [...state.attention.values.subarray(first, first + tokens - 1)];
  colourPatches(taken, 0, taken && Math.max(...taken), value => `${(100 * value).toFixed(1)} %`);
}
function showPatches() {
  const attends = isAttending();
  element("of-block").hidden = !attends;
  const text = attends && state.refusal || "Choose a patch, or the class token: each patch shows " +
    (attends ? "what share of its attention the chosen one gives it in this block." : "the cosine of its token and the chosen one's.");
  if (element("explained").textContent !== text) element("explained").textContent = text;  // which is read out
  if (state.tokens) attends ? showAttention() : showSimilarity();
}
function choose(token) {
  state.chosen = token;
  showPatches();
}
/// Asks for the attention of a block, where it is to be shown and is not here.
async function attend() {
  const {file} = state;
  const block = element("block").value;
  const isHere = state.attention?.file === file && state.attention.block === block;
  if (!isHere) state.attention = state.refusal = null;
  showPatches();
  if (!file || !isAttending() || isHere) return;
  await guarded(async isLast => {
    const reply = await send(`/v1/attention?block=${block}`, "application/octet-stream", file);
    const values = new Float32Array(await reply.arrayBuffer());
    if (!isLast() || file !== state.file) return;
    if (values.length !== (state.hidden.length + 1) ** 2) throw new Error(otherModel);
    state.attention = {file, block, values};
    showPatches();
  }, "attention", text => {  // here: paintings have a word on the status, too
    state.refusal = text;
    showPatches();
  });
}
function showNeighbour({name, score}, picture) {
  const item = document.createElement("li");
  const image = document.createElement("img");
  image.src = picture;
  image.alt = "";  // the name follows
  item.append(image, ...[name, `cosine ${score.toFixed(3)}`].map(text => {
    const line = document.createElement("span");
    line.textContent = text;
    return line;
  }));
  return item;
}
function showNeighbours(text, ...items) {
  element("searched").textContent = text;
  for (const image of element("neighbours").querySelectorAll("img")) URL.revokeObjectURL(image.src);
  element("neighbours").replaceChildren(...items);
}
async function findNeighbours() {
  const {file} = state;
  if (!file || !state.model.gallery) return;
  await guarded(async isLast => {
    const path = `/v1/neighbours?k=${element("k").value}&pool=${element("pool").value}`;
    const look = async () => {
      const found = await (await send(path, "application/json", file)).json();
      const pictures = await Promise.all(found.neighbours.map(async ({index}) =>
        pictureOf(await ask(`/v1/gallery/${index}/thumbnail?version=${found.version}`))));
      return {...found, pictures};
    };
    const isOther = error => error.status === 409;  // read again in between
    const {neighbours, gallery, pictures} = await look().catch(error => isOther(error) ? look() : Promise.reject(error));
    if (!isLast() || file !== state.file) return pictures.forEach(one => URL.revokeObjectURL(one));
    showNeighbours(`${neighbours.length} of ${gallery} pictures, that of the greatest cosine first.`,
      ...neighbours.map((one, i) => showNeighbour(one, pictures[i])));
  }, "neighbours", text => showNeighbours(text));
}
const otherModel = "Another model is served now: load this page again.";
async function tokensOf(file) {
  const reply = await send("/v1/tokens", "application/octet-stream", file);
  const [, count, width] = reply.headers.get("X-MAE-Shape").split(",").map(Number);
  if (count !== state.rows * state.columns + 1) throw new Error(otherModel);
  return {values: new Float32Array(await reply.arrayBuffer()), width};
}
/// Until all of it is here, the picture that is on the page goes on to be asked about.
async function take(file) {
  if (!state.model) await begin();
  if (!state.model) return;
  const turn = ++state.takes;
  state.isTaking = true;
  let isTaken = false;
  say("Sending the picture…");
  await guarded(async isLast => {
    const picture = await pictureOf(await send("/v1/view", "image/png", file));
    const tokens = await tokensOf(file);
    if (!isLast()) return URL.revokeObjectURL(picture);
    Object.assign(state, {file, tokens, attention: null, refusal: null});
    isTaken = true;
    showNeighbours("");  // of another picture
    show(picture, "original", "compared", "held");
    element("painted").style.visibility = "hidden";  // of another picture
    element("stage").hidden = false;
    drawMask();
    showMask();
    choose(Math.floor(state.rows / 2) * state.columns + Math.floor(state.columns / 2));
    say("");
  });
  if (turn !== state.takes) return;
  const isMissed = state.isMissed;
  state.isTaking = state.isMissed = false;
  if (isTaken) {
    paint();
    attend();
    findNeighbours();
  } else if (isMissed) {
    paint(true);
  }
}

// ---- what people do ----

/// A button for each patch; the arrows move among them, and one alone is reached by the tab key.
function fillGrid(grid, name) {
  const {rows, columns} = state;
  grid.style.gridTemplate = `repeat(${rows},1fr) / repeat(${columns},1fr)`;
  grid.replaceChildren(...Array.from({length: rows * columns}, (_, patch) => {
    const button = document.createElement("button");
    button.type = "button";
    button.tabIndex = patch === 0 ? 0 : -1;
    button.dataset.patch = patch;
    button.setAttribute("aria-label", `${name} row ${Math.floor(patch / columns) + 1}, column ${patch % columns + 1}`);
    button.setAttribute("aria-pressed", "false");
    return button;
  }));
  const steps = {ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0]};
  grid.onkeydown = event => {
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const patch = Number(event.target.dataset.patch);
    const row = Math.floor(patch / columns) + step[0], column = patch % columns + step[1];
    if (row < 0 || row >= rows || column < 0 || column >= columns) return;
    grid.children[row * columns + column].focus();
  };
}
const patchAt = event => {
  const found = document.elementFromPoint(event.clientX, event.clientY)?.closest("#grid button");
  return found ? Number(found.dataset.patch) : null;
};
function watchGrid() {
  const grid = element("grid");
  for (const one of [grid, element("tokens")])
    one.addEventListener("focusin", event => {
      for (const button of one.children) button.tabIndex = button === event.target ? 0 : -1;
    });
  grid.onpointerdown = event => {
    if (event.button !== 0 || !event.isPrimary) return;
    const patch = patchAt(event);
    if (patch === null) return;
    grid.setPointerCapture(event.pointerId);
    state.drag = 1 - state.hidden[patch];
    setPatch(patch, state.drag);
  };
  grid.onpointermove = event => {
    const patch = state.drag === null || !event.isPrimary ? null : patchAt(event);
    if (patch !== null) setPatch(patch, state.drag);
  };
  grid.onpointerup = grid.onpointercancel = event => {
    if (!event.isPrimary) return;
    if (state.drag !== null) paintSoon();
    state.drag = null;
  };
  grid.onclick = event => {
    if (event.detail > 0) return;  // by a pointer, which was seen above
    const patch = Number(event.target.dataset.patch);
    setPatch(patch, 1 - state.hidden[patch]);
    paintSoon();
  };
  element("tokens").onclick = event => {
    const button = event.target.closest("button");
    if (button) choose(Number(button.dataset.patch));
  };
}
function watchControls() {
  const again = () => {
    element("share").textContent = `${element("ratio").value} %`;
    if (!state.file) return;
    drawMask();
    showMask();
    paintSoon();
  };
  for (const id of ["policy", "ratio", "seed"]) element(id).oninput = again;
  element("another").onclick = () => {
    element("seed").value = (Number(element("seed").value) + 1) % 2 ** 32;
    again();
  };
  element("all").onchange = () => paint();
  element("shown").onchange = element("block").onchange = attend;
  element("class-token").onclick = () => choose(classToken);
  element("k").onchange = element("pool").onchange = findNeighbours;
  const compare = element("compare");
  const hold = isHeld => {
    compare.setAttribute("aria-pressed", isHeld);
    element("held").hidden = !isHeld;
  };
  compare.onpointerdown = event => { if (event.button === 0 && event.isPrimary) hold(true); };
  compare.onpointerup = compare.onpointerleave = compare.onpointercancel = compare.onblur = () => hold(false);
  compare.onkeydown = event => { if (event.key === " " || event.key === "Enter") hold(true); };
  compare.onkeyup = () => hold(false);
}
function watchFiles() {
  const drop = element("drop");
  element("file").onchange = event => event.target.files[0] && take(event.target.files[0]);
  for (const kind of ["dragover", "dragleave", "drop"])
    drop.addEventListener(kind, event => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      const file = event.dataTransfer?.files[0];
      if (kind === "drop" && file) take(file);
    });
  for (const button of document.querySelectorAll("[data-sample]"))
    button.onclick = () => drawSample(samples[button.dataset.sample]).then(take);
}

// ---- samples ----

const samples = {
  hills(pen, side) {
    const sky = pen.createLinearGradient(0, 0, 0, side);
    sky.addColorStop(0, "#3a7bd5");
    sky.addColorStop(.6, "#f6d6a8");
    pen.fillStyle = sky;
    pen.fillRect(0, 0, side, side);
    pen.fillStyle = "#fff3b0";
    pen.beginPath();
    pen.arc(.7 * side, .3 * side, .1 * side, 0, 7);
    pen.fill();
    for (const [base, height, colour] of [[.62, .16, "#5c7f67"], [.75, .12, "#3f6b4f"], [.9, .08, "#274c36"]]) {
      pen.fillStyle = colour;
      pen.beginPath();
      pen.moveTo(0, side);
      for (let x = 0; x <= side; x += side / 64)
        pen.lineTo(x, side * (base - height * Math.sin(9 * base * x / side + 20 * base) ** 2));
      pen.lineTo(side, side);
      pen.fill();
    }
  },
  shapes(pen, side) {
    pen.fillStyle = "#f4efe6";
    pen.fillRect(0, 0, side, side);
    pen.fillStyle = "#c1440e";
    pen.fillRect(.12 * side, .15 * side, .32 * side, .32 * side);
    pen.fillStyle = "#1d63c4";
    pen.beginPath();
    pen.arc(.68 * side, .33 * side, .2 * side, 0, 7);
    pen.fill();
    pen.fillStyle = "#15803d";
    pen.beginPath();
    pen.moveTo(.5 * side, .55 * side);
    pen.lineTo(.85 * side, .92 * side);
    pen.lineTo(.15 * side, .92 * side);
    pen.fill();
  },
  stripes(pen, side) {
    pen.fillStyle = "#f2b705";
    pen.fillRect(0, 0, side, side);
    pen.strokeStyle = "#26221c";
    pen.lineWidth = side / 14;
    for (let at = -side; at < 2 * side; at += side / 6) {
      pen.beginPath();
      pen.moveTo(at, 0);
      pen.lineTo(at + .5 * side, side);
      pen.stroke();
    }
  },
};
function drawSample(draw) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 256;
  draw(canvas.getContext("2d"), canvas.width);
  return new Promise(done => canvas.toBlob(done, "image/png"));
}

// ---- the beginning ----

let beginning = null;
/// Once at a time.
function begin() {
  beginning ??= askModel().finally(() => { beginning = null; });
  return beginning;
}
async function askModel() {
  try {
    state.model = await (await ask("/v1/model")).json();
  } catch (error) {
    element("model").textContent = "";
    return say(error.message, true);
  }
  element("unlock").hidden = true;
  say("");
  const {image, patch, encoder} = state.model.model;
  state.rows = image.height / patch.height;
  state.columns = image.width / patch.width;
  element("model").textContent =
    `An encoder of ${encoder.depth} blocks, ${encoder.width} wide, for pictures of ${image.width}×${image.height} in ` +
    `${state.rows * state.columns} patches; ${state.model.precision}.` +
    (reconstructs() ? "" : " The model has no decoder that paints: serve one to see reconstructions.");
  element("painting").hidden = !reconstructs();
  element("gallery").hidden = !state.model.gallery;
  element("shown").hidden = !state.model.attention;
  if (!state.model.attention) element("shown").querySelector("[value=similarity]").checked = true;
  const blocks = element("block");
  if (blocks.length !== encoder.depth)
    blocks.replaceChildren(...Array.from({length: encoder.depth}, (_, i) =>
      new Option(i + 1 === encoder.depth ? `${i + 1}, last` : i + 1, i + 1, false, i + 1 === encoder.depth)));
  fillGrid(element("grid"), "hide");
  fillGrid(element("tokens"), "choose");
  if (state.hidden.length !== state.rows * state.columns) state.hidden = Array(state.rows * state.columns).fill(0);
  if (!state.file) return;
  showMask();
  take(state.file);  // not waited for: it waits for this where there is no model
}
element("unlock").onsubmit = event => {
  event.preventDefault();
  state.token = element("token").value;
  begin();
};
watchFiles();
watchControls();
watchGrid();
begin();
