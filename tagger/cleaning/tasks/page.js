const asked = JSON.parse(document.querySelector(".tasks").textContent);
const pictures = [...document.querySelectorAll(".picture")].map((block) => block.textContent);
const at = (id) => document.getElementById(id);
const make = (tag, properties, ...inside) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...inside);
  return element;
};

// What one annotator answered: task → [verdict, time]. A browser may refuse to keep it.
const kept = {
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, text) { try { localStorage.setItem(key, text); return true; } catch { return false; } },
};
const place = (name) => `tagger ${asked.catalog} ${asked.tasks} ${name}`;
const readProgress = (name) => { try { return new Map(JSON.parse(kept.read(place(name)) ?? "[]")); } catch { return new Map(); } };
let annotator = kept.read("tagger annotator") ?? "";
let answers = readProgress(annotator);
let unsaved = false;

const words = { present: "Yes", absent: "No", unsure: "Unsure" };
const keys = { y: "present", n: "absent", u: "unsure" };
const cards = [];
const sections = [];

function card(task, label) {
  const image = make("img", { alt: `${label.name}? ${task.file}`, loading: "lazy", decoding: "async" });
  const picture = pictures[task.photo];
  if (picture) image.src = `data:image/webp;base64,${picture}`;
  else image.alt = `${task.file} cannot be read`;
  const buttons = Object.entries(words).map(([verdict, word]) => {
    const button = make("button", { type: "button", tabIndex: -1 }, word);
    button.dataset.say = verdict;
    return button;
  });
  const element = make("article", { className: "card", tabIndex: -1, ariaLabel: `${label.name}? ${task.file}` }, image,
    make("span", { className: "file", title: task.file }, task.file),
    make("ul", {}, ...task.evidence.map((line) => make("li", {}, line))),
    make("div", { className: "answers" }, ...buttons));
  element.dataset.task = task.id;
  cards.push({ element, buttons, task, label });
  return element;
}

asked.labels.forEach((label) => {
  const standard = make("div", { className: "standard" });
  if (label.counts) standard.append(make("p", { className: "counts" }, make("b", {}, "Counts: "), label.counts));
  if (label.not) standard.append(make("p", { className: "not" }, make("b", {}, "Does not: "), label.not));
  const count = make("span", { className: "muted" });
  const section = make("section", {}, make("h2", {}, `${label.name} `, count), standard,
    make("div", { className: "cards" }, ...label.tasks.map((task) => card(task, label))));
  at("labels").append(section);
  const option = make("option", { value: String(sections.length) });
  at("jump").append(option);
  sections.push({ section, count, option, label });
});
const places = new Map(cards.map(({ element }, number) => [element, number]));
let current = 0;

function show(number) {
  const { element, buttons, task } = cards[number];
  const verdict = answers.get(task.id)?.[0];
  element.classList.remove(...Object.keys(words));
  if (verdict) element.classList.add(verdict);
  buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.say === verdict)));
}

function count() {
  const done = cards.filter(({ task }) => answers.has(task.id)).length;
  at("done").textContent = `${done} of ${cards.length} answered`;
  at("meter").firstElementChild.style.width = `${(100 * done) / cards.length}%`;
  sections.forEach(({ count, option, label }) => {
    const own = label.tasks.filter((task) => answers.has(task.id)).length;
    count.textContent = `${own} of ${label.tasks.length}`;
    option.textContent = `${label.name} (${own}/${label.tasks.length})`;
  });
}

function note(text, good = false) {
  at("note").textContent = text;
  at("note").hidden = !text;
  at("note").classList.toggle("good", good);
}

function focus(number) {
  cards[current].element.tabIndex = -1;
  current = Math.max(0, Math.min(cards.length - 1, number));
  const { element } = cards[current];
  element.tabIndex = 0;
  element.focus({ preventScroll: true });
  element.scrollIntoView({ block: "nearest" });
  at("jump").value = String(sections.findIndex(({ section }) => section.contains(element)));
}

function say(number, verdict) {
  const { task } = cards[number];
  if (verdict) answers.set(task.id, [verdict, new Date().toISOString()]);
  else answers.delete(task.id);
  unsaved = true;
  if (kept.write(place(annotator), JSON.stringify([...answers]))) note("");
  else note("This browser keeps nothing of this page: save often, and before you close it.");
  show(number);
  count();
}

function nextOpen(from) {
  const order = cards.map((_, number) => (from + 1 + number) % cards.length);
  return order.find((number) => !answers.has(cards[number].task.id));
}

// Up and down go to the card whose middle is nearest in the row above or below.
function beside(number, step) {
  const middle = (place) => { const box = cards[place].element.getBoundingClientRect(); return [box.left + box.width / 2, box.top]; };
  const [x, y] = middle(number);
  let best = number, row = null;
  for (let other = number + step; other >= 0 && other < cards.length; other += step) {
    const [otherX, otherY] = middle(other);
    if (Math.abs(otherY - y) < 5) continue;
    if (row === null) row = otherY;
    if (Math.abs(otherY - row) > 5) break;
    if (best === number || Math.abs(otherX - x) < Math.abs(middle(best)[0] - x)) best = other;
  }
  return best;
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
  const verdict = keys[event.key.toLowerCase()];
  const moves = { ArrowRight: () => current + 1, ArrowLeft: () => current - 1, ArrowDown: () => beside(current, 1), ArrowUp: () => beside(current, -1) };
  if (verdict) {
    say(current, verdict);
    focus(nextOpen(current) ?? current);
  } else if (event.key === "Backspace") say(current, null);
  else if (moves[event.key]) focus(moves[event.key]());
  else return;
  event.preventDefault();
});

at("labels").addEventListener("click", (event) => {
  const element = event.target.closest(".card");
  if (!element) return;
  const number = places.get(element);
  const verdict = event.target.closest("[data-say]")?.dataset.say;
  if (verdict) say(number, answers.get(cards[number].task.id)?.[0] === verdict ? null : verdict);
  focus(number);
});

at("jump").addEventListener("change", () => {
  const { section } = sections[Number(at("jump").value)];
  section.scrollIntoView();
  focus(places.get(section.querySelector(".card")));
});

at("annotator").addEventListener("change", () => {
  const name = at("annotator").value.trim();
  // What was answered before there was a name belongs to the first who gives one.
  const own = readProgress(name);
  if (annotator === "" && name) {
    answers = new Map([...own, ...answers]);
    kept.write(place(""), "[]");
    kept.write(place(name), JSON.stringify([...answers]));
  } else answers = own;
  annotator = name;
  kept.write("tagger annotator", name);
  note("");
  cards.forEach((_, number) => show(number));
  count();
});

at("next").addEventListener("click", () => {
  const open = nextOpen(current);
  if (open === undefined) note("Every question is answered: save the file and hand it in.", true);
  else focus(open);
});

at("save").addEventListener("click", () => {
  if (!annotator) {
    note("Who are you? The verdicts are kept under your name.");
    at("annotator").focus();
    return;
  }
  const verdicts = cards.filter(({ task }) => answers.has(task.id)).map(({ task, label }) => {
    const [verdict, time] = answers.get(task.id);
    return { task: task.id, label: label.id, verdict, time };
  });
  const text = JSON.stringify({ format: asked.format, catalog: asked.catalog, tasks: asked.tasks, annotator, verdicts }, null, 1);
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "application/json" })), download: `verdicts-${annotator.replace(/[^\p{L}\p{N}]+/gu, "-")}-${asked.tasks}.json` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  unsaved = false;
  note(`${verdicts.length} verdicts saved as ${link.download}.`, true);
});

addEventListener("beforeunload", (event) => {
  // What the browser keeps is not lost; what it does not keep would be.
  if (unsaved && !kept.read(place(annotator))) event.preventDefault();
});

at("annotator").value = annotator;
at("bar").hidden = false;
cards.forEach((_, number) => show(number));
count();
focus(nextOpen(-1) ?? 0);
