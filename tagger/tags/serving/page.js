// The page asks the server, which keeps the photos and their scores, and shows the parts that it answers.
const WIDEST = 9, STEPS = 1000; // as in views.py
const PARALLEL = 3, NOTES = 12, TRIES = 5;

const byId = (id) => document.getElementById(id);
const limits = document.body.dataset;
const looking = { photo: null, label: null, by_score: false };
let room = Number(limits.room), place = Number(limits.place);

// --- asking ---------------------------------------------------------------------------------------------------------

// One question at a time, in order. Of looks and moves that wait only the last counts: a slider that is dragged goes on.
const waiting = [];
let answered = null;

function ask(what, question = {}) {
  const last = waiting.at(-1);
  if (last?.what === what && ["look", "move"].includes(what)) waiting.pop();
  waiting.push({ what, question: { ...looking, ...question } });
  answered ??= answerAll().finally(() => { answered = null; });
  return answered;
}

async function answerAll() {
  while (waiting.length) {
    const { what, question } = waiting.shift();
    const parts = await post(what, JSON.stringify(question), "application/json");
    if (parts.error) note([parts.error]);
    else show(parts, what);
  }
}

// Returns what the server answers; if it is busy, after a while.
async function post(path, body, type) {
  for (let tried = 1; ; tried++) {
    try {
      const response = await fetch(path, { method: "POST", headers: { "Content-Type": type }, body });
      if (response.status !== 503 || tried === TRIES) return await response.json();
    } catch {
      return { error: "the server does not answer: is it still there?" };
    }
    await new Promise((done) => setTimeout(done, 500 * tried));
  }
}

// --- showing --------------------------------------------------------------------------------------------------------

function show(parts, what) {
  for (const id of ["photos", "photo", "curve"]) exchange(byId(id), parts[id]);
  for (const id of ["for_predict", "as_yaml"]) byId(id).querySelector("textarea").value = parts[id];
  byId("saying").hidden = !parts.has_photo;
  byId("undo").disabled = !parts.can_undo;
  room = parts.room;
  place = Math.max(place, parts.place);
  if (parts.remarks.length || ["correct", "undo", "clear"].includes(what)) note(parts.remarks);
  showThreshold();
}

function exchange(element, html) {
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  morph(element, fresh.content);
}

// Makes the inside of an element like another's and leaves what is the same: pictures stay loaded, the focus stays.
function morph(element, fresh) {
  const old = [...element.childNodes], wanted = [...fresh.childNodes];
  wanted.forEach((node, number) => {
    const was = old[number];
    if (!was) element.append(node);
    else if (was.nodeName !== node.nodeName) was.replaceWith(node);
    else if (was.nodeType === Node.TEXT_NODE) was.data = node.data;
    else {
      for (const { name } of [...was.attributes]) if (!node.hasAttribute(name)) was.removeAttribute(name);
      for (const { name, value } of node.attributes) if (was.getAttribute(name) !== value) was.setAttribute(name, value);
      morph(was, node);
    }
  });
  for (const node of old.slice(wanted.length)) node.remove();
}

// A slider that is being dragged stays where the hand is.
let shown = null;
function showThreshold() {
  const slider = byId("curve").querySelector("input[data-at]"), exact = byId("curve").querySelector("input[data-exact]");
  if (!slider) return;
  const isOther = slider.dataset.of !== shown;
  if (isOther || slider !== document.activeElement) slider.value = slider.dataset.at;
  if (isOther || exact !== document.activeElement) exact.value = exact.dataset.exact;
  shown = slider.dataset.of;
}

// Says what went wrong, and what is going on.
function note(remarks, doing = "") {
  const line = (name, text, inside = []) => {
    const element = document.createElement(name);
    element.append(text, ...inside);
    return element;
  };
  const lines = remarks.slice(0, NOTES).map((remark) => line("li", remark));
  if (remarks.length > NOTES) lines.push(line("li", `and ${remarks.length - NOTES} more`));
  byId("notes").replaceChildren(...(doing ? [line("p", doing)] : []), ...(lines.length ? [line("ul", "", lines)] : []));
}

// On a telephone what was asked for is below the photos.
function reveal(id) {
  if (byId(id).getBoundingClientRect().top > window.innerHeight * 0.8) byId(id).scrollIntoView({ behavior: "smooth" });
}

// --- photos ---------------------------------------------------------------------------------------------------------

// Adds photos, a few at a time: `send(number, place)` sends one and returns what the server answers.
async function add(count, name, send) {
  const first = place, remarks = count > room ? [`only ${limits.maxPhotos} photos at a time: remove some first`] : [];
  count = Math.min(count, room);
  place += count;
  let begun = 0, done = 0;
  note(remarks, count ? `reading ${count} photos …` : "");
  const one = async () => {
    while (begun < count) {
      const number = begun++;
      const answer = await send(number, first + number);
      const remark = answer.error ? `${name(number)}: ${answer.error}` : answer.remark;
      if (remark && !remarks.includes(remark)) remarks.push(remark);
      done++;
      note(remarks, done < count ? `${done} of ${count} photos …` : "");
      ask("look");
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, one));
}

function drop(files) {
  add(files.length, (number) => files[number].name, async (number, at) => {
    const { name, size } = files[number];
    if (size > limits.maxBytes) {
      return { error: `${(size / 1e6).toFixed(1)} MB, more than the ${limits.maxBytes / 1e6} MB allowed here` };
    }
    return post(`photos?place=${at}&name=${encodeURIComponent(name.slice(0, 255))}`, files[number], "application/octet-stream");
  });
}

byId("drop").addEventListener("change", ({ target }) => {
  drop([...target.files]);
  target.value = "";
});

for (const event of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(event, (happened) => {
    if (!happened.dataTransfer?.types.includes("Files")) return;
    happened.preventDefault();
    byId("drop").classList.toggle("is-over", event === "dragenter" || event === "dragover");
    if (event === "drop") drop([...happened.dataTransfer.files]);
  });
}

byId("folder")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = JSON.stringify({ ...looking, name: event.target.querySelector("input").value });
  const { error, remarks = [error], offered } = await post("folder", question, "application/json");
  if (error || remarks.length) return note(remarks);
  add(offered, (number) => `photo ${number + 1}`, (number, at) =>
    post("offered", JSON.stringify({ number, place: at }), "application/json"));
});

byId("clear").addEventListener("click", () => ask("clear"));

byId("order").addEventListener("change", ({ target }) => {
  looking.by_score = target.value === "score";
  ask("look");
});

// --- a photo, a label -----------------------------------------------------------------------------------------------

document.addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  const { photo, label, corrected, value, reset, copy } = button.dataset;
  if (reset !== undefined) ask("reset");
  else if (corrected !== undefined) ask("correct", { corrected: Number(corrected), value });
  else if (label !== undefined) choose(Number(label));
  else if (copy !== undefined) copyFrom(button.parentElement.querySelector("textarea"));
  else if (photo !== undefined) {
    looking.photo = Number(photo);
    await ask("look");
    reveal("tags");
  }
});

async function choose(label) {
  looking.label = label;
  byId("choose").value = byId("labels").querySelector(`[data-label="${label}"]`).value;
  await ask("look");
  reveal("side");
}

// Calls `then` with the label whose name was typed or chosen.
function onLabel(id, then) {
  const field = byId(id);
  const named = () => [...byId("labels").options].find(({ value }) => value === field.value);
  field.addEventListener("input", () => named() && then(Number(named().dataset.label), field));
  field.addEventListener("change", () => {
    if (field.value && !named()) note([`there is no label ${field.value}`]);
  });
}

onLabel("choose", choose);
onLabel("missing", (corrected, field) => {
  field.value = "";
  ask("correct", { corrected, value: "present" });
});

byId("undo").addEventListener("click", () => ask("undo"));

byId("curve").addEventListener("input", ({ target }) => {
  const at = Number(target.value);
  if (!target.matches("input[data-at]")) return;
  ask("move", { threshold: at <= 0 ? 0 : at >= STEPS ? 2 : 1 / (1 + Math.exp(WIDEST - (2 * WIDEST * at) / STEPS)) });
});

byId("curve").addEventListener("change", ({ target }) => {
  if (target.matches("input[data-exact]")) ask("move", { threshold: target.value === "" ? 2 : Math.min(2, Math.max(0, target.value)) });
});

byId("moved").addEventListener("toggle", ({ target }) => target.open && target.scrollIntoView({ block: "nearest" }));

function copyFrom(field) {
  field.select();
  // The newer way is not there for pages of another machine without TLS.
  if (navigator.clipboard) navigator.clipboard.writeText(field.value);
  else document.execCommand("copy");
}

// An open page is not forgotten.
setInterval(() => ask("look"), 600_000);
