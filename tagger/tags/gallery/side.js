// The side: groups, tags with their number of photos, and a slider for each threshold.

const side = document.querySelector("#side");
const list = document.querySelector("#tags");
const find = document.querySelector("#find");
const groups = document.querySelector("#group");
const rows = new Map();

// A slider has a thousand steps, closer together where scores are small: some thresholds are 0.001.
const STEPS = 1000;
const atStep = (label, step) => +(label.floor + (1 - label.floor) * (step / STEPS) ** 2).toPrecision(3);
const stepAt = (label, value) => Math.round(STEPS * Math.sqrt(Math.max(0, (value - label.floor) / (1 - label.floor))));
const startOf = label => stepAt(label, Math.min(1, label.from));

function moveTo(id, step) {
  const label = labels.get(id);
  if (step === startOf(label)) moved.delete(id);
  else moved.set(id, atStep(label, step));
  for (const photo of byLabel.get(id)) { recount(photo); fill(photo); }
  tell(id);
  refresh();
}

// What is known at the slider's place.
function tell(id) {
  const label = labels.get(id), {slider, note, from, back} = rows.get(id);
  const value = moved.get(id) ?? label.from, number = byLabel.get(id).filter(photo => photo.has.has(id)).length;
  const promise = promised(label, value);
  from.textContent = value > 1 ? "never" : `≥ ${figure(value)}`;
  from.classList.toggle("was-moved", moved.has(id));
  from.ariaLabel = `Threshold of ${label.name}: ${from.textContent}`;
  if (!slider) return;
  back.hidden = !moved.has(id);
  slider.ariaValueText = `${figure(Math.min(1, value))}, ${plural(number, "photo")}`;
  note.textContent = `${plural(number, "photo")}${moved.has(id) ? `, was ≥ ${figure(label.from)}` : ""}.`;
  if (promise) {
    note.textContent += ` On ${plural(label.support, "photo")} of validation: precision ${promise.precision.toFixed(2)}, recall ${promise.recall.toFixed(2)}.`;
  }
}

function openTune(id) {
  const row = rows.get(id), label = labels.get(id);
  if (row.tune) {
    row.tune.hidden = !row.tune.hidden;
  } else {
    row.slider = element("input", {type: "range", min: 0, max: STEPS, value: startOf(label), ariaLabel: `Threshold of ${label.name}`});
    row.slider.addEventListener("input", () => moveTo(id, +row.slider.value));
    row.note = element("p", {className: "muted"});
    row.back = element("button", {type: "button", className: "link", textContent: "Put back"});
    row.back.addEventListener("click", () => { row.slider.value = startOf(label); moveTo(id, startOf(label)); row.slider.focus(); });
    row.tune = element("div", {className: "tune"}, row.slider, row.note, row.back);
    row.item.append(row.tune);
    tell(id);
  }
  row.from.ariaExpanded = String(!row.tune.hidden);
  if (!row.tune.hidden) row.slider.focus();
}

function makeRow(id) {
  const label = labels.get(id), row = {};
  row.count = element("span", {className: "count"});
  row.name = element("button", {type: "button", className: "name", tabIndex: -1, ariaPressed: "false"}, element("bdi", {textContent: label.name}), row.count);
  row.name.addEventListener("click", () => toggle(id));
  row.from = element("button", {type: "button", className: "from", tabIndex: -1, title: "Move the threshold"});
  if ("from" in label) {
    row.from.ariaExpanded = "false";
    row.from.addEventListener("click", () => openTune(id));
  } else {
    row.from.hidden = true;
  }
  row.item = element("li", {className: "tag"}, row.name, row.from);
  rows.set(id, row);
  if ("from" in label) tell(id);
  return row;
}

// How many photos have each tag: in the whole album, which is the order, and among those that are shown.
function count(some) {
  const counts = new Map([...labels.keys()].map(id => [id, 0]));
  for (const photo of some) for (const {label} of photo.shown) counts.set(label, counts.get(label) + 1);
  return counts;
}

function orderTags() {
  const counts = count(photos);
  const order = [...rows.keys()].sort((a, b) => counts.get(b) - counts.get(a) || nameOf(a).localeCompare(nameOf(b)));
  list.append(...order.map(id => rows.get(id).item));
}

function showTags(shown) {
  const here = count(shown), wanted = find.value.trim().toLowerCase();
  let some = false;
  for (const [id, row] of rows) {
    const number = here.get(id), isChosen = view.chosen.has(id), label = labels.get(id);
    const isOpen = row.tune && !row.tune.hidden;
    row.count.textContent = number;
    row.name.ariaPressed = String(isChosen);
    row.item.classList.toggle("none", !number);
    const fits = `${label.name} ${id}`.toLowerCase().includes(wanted) && (!view.group || inGroup(id, view.group));
    // Without a photo it is worth a row only to those who look for it: its slider may find some.
    row.item.hidden = !isChosen && !isOpen && !(fits && (number || wanted));
    some ||= !row.item.hidden;
  }
  document.querySelector("#nothing").hidden = some;
  if (!list.querySelector(".current:not([hidden])")) makeCurrentRow(list.querySelector(".tag:not([hidden])"));
}

function showGroups() {
  const counts = new Map(Object.keys(rest.groups).map(group => [group, 0]));
  for (const photo of photos) {
    const of = new Set(photo.shown.flatMap(({label}) => [label, ...labels.get(label).groups]));
    for (const group of of) if (counts.has(group)) counts.set(group, counts.get(group) + 1);
  }
  const order = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
  const options = order.map(group => element("option", {value: group, textContent: `${rest.groups[group]} (${counts.get(group)})`}));
  groups.replaceChildren(element("option", {value: "", textContent: "all"}), ...options);
  groups.value = view.group;
  groups.closest("label").hidden = !order.length;
}

find.addEventListener("input", () => refresh());
groups.addEventListener("change", () => { view.group = groups.value; refresh(); });

// One row at a time can be reached by Tab; the arrow keys choose which.
function makeCurrentRow(item) {
  const before = list.querySelector(".current");
  if (before === item) return;
  for (const [row, tabIndex] of [[before, -1], [item, 0]]) {
    if (!row) continue;
    row.classList.toggle("current", tabIndex === 0);
    for (const button of row.querySelectorAll(".name, .from")) button.tabIndex = tabIndex;
  }
}

list.addEventListener("focusin", event => makeCurrentRow(event.target.closest(".tag")));
list.addEventListener("keydown", event => {
  const step = {ArrowUp: -1, ArrowDown: 1}[event.key], kind = [...event.target.classList].find(name => name === "name" || name === "from");
  if (!step || !kind) return;
  event.preventDefault();
  const items = [...list.children].filter(item => !item.hidden);
  items[items.indexOf(event.target.closest(".tag")) + step]?.querySelector(`.${kind}`).focus();
});
