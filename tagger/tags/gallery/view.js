// What is looked at: filters, search and order, and the page that follows from them.

const search = document.querySelector("#search");
const sort = document.querySelector("#sort");

function toggle(label) {
  view.chosen.delete(label) || view.chosen.add(label);
  refresh();
}

function clear() {
  view.chosen.clear();
  view.group = groups.value = "";
  view.without = false;
  search.value = find.value = "";
  refresh();
}

function matches(photo, words) {
  if (view.without && photo.shown.length) return false;
  for (const label of view.chosen) if (!photo.has.has(label)) return false;
  if (view.group && !photo.shown.some(tag => inGroup(tag.label, view.group))) return false;
  if (!words.length) return true;
  const text = [photo.path, ...photo.shown.map(tag => nameOf(tag.label))].join("\n").toLowerCase();
  return words.every(word => text.includes(word));
}

// The order: of the score of the tag that was chosen last, or else of the best tag.
function order() {
  const label = [...view.chosen].at(-1);
  const score = photo => (label ? photo.shown.find(tag => tag.label === label) : photo.shown[0])?.score ?? 0;
  const sorted = sort.value ? [...photos].sort((a, b) => score(b) - score(a) || a.number - b.number) : photos;
  if (sorted.some((photo, at) => grid.children[at] !== photo.card)) grid.append(...sorted.map(photo => photo.card));
}

function filterChip(text, remove) {
  const made = element("button", {type: "button", className: "filter", ariaLabel: `Remove the filter ${text}`}, element("bdi", {textContent: text}), " ✕");
  made.addEventListener("click", () => { remove(); refresh(); search.focus(); });
  return made;
}

function showFilters() {
  const chips = [...view.chosen].map(label => filterChip(nameOf(label), () => view.chosen.delete(label)));
  if (view.group) chips.push(filterChip(rest.groups[view.group], () => { view.group = groups.value = ""; }));
  if (view.without) chips.push(filterChip("without tags", () => { view.without = false; }));
  if (chips.length > 1) chips.push(element("button", {type: "button", className: "link", textContent: "show all", onclick: clear}));
  document.querySelector("#filters").replaceChildren(...chips);
  const without = document.querySelector("#without"), number = photos.filter(photo => !photo.shown.length).length;
  without.hidden = !number && !view.without;
  without.ariaPressed = String(view.without);
  without.lastChild.textContent = number;
}

// Words for a shell: an id that Hydra could take for something else is a text in quotes.
function showMoved() {
  document.querySelector("#moved").hidden = !moved.size;
  const isPlain = label => /^[A-Za-z_][\w.-]*$/.test(label) && !/^(true|false|null|nan|inf)$/i.test(label);
  const words = [...moved].map(([label, value]) => `${isPlain(label) ? label : JSON.stringify(label)}: ${value}`);
  document.querySelector("#words").textContent = `'own_thresholds={${words.join(", ").replaceAll("'", "'\\''")}}' overwrite=true`;
}

function refresh() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = photos.filter(photo => matches(photo, words));
  const isShown = new Set(shown), chosen = [...view.chosen].join(" ");
  // Which tags come first on a card depends on the filters.
  if (chosen !== view.filled) { view.filled = chosen; photos.forEach(fill); }
  for (const photo of photos) photo.card.hidden = !isShown.has(photo);
  order();
  showTags(shown);
  showGroups();
  showFilters();
  showMoved();
  document.querySelector("#shown").textContent = shown.length === photos.length ? plural(photos.length, "photo") : `${shown.length.toLocaleString("en")} of ${plural(photos.length, "photo")}`;
  document.querySelector("#empty").hidden = shown.length > 0 || !photos.length;
  if (!grid.querySelector(".current:not([hidden])")) makeCurrent(visibleCards()[0]);
  hideWhy();
}

// Names in a list that is made when it is opened: there may be thousands.
function showNames(id, title, names) {
  const details = document.querySelector(id);
  details.hidden = !names.length;
  details.querySelector("summary").textContent = title;
  details.addEventListener("toggle", () => {
    details.querySelector("ul").replaceChildren(...names.map(([name, note]) => {
      const item = element("li", {}, element("bdi", {textContent: name}));
      if (note) item.append(element("span", {className: "muted", textContent: ` ${note}`}));
      return item;
    }));
  }, {once: true});
}

function sayReach() {
  const unknowing = photos.filter(photo => !photo.knowsNear).length;
  document.querySelector("#reach").textContent = unknowing === photos.length && unknowing
    ? "The scores of what came near are not in the album's record, so that moving down finds nothing: tag it again with gallery= or scores=true, and overwrite=true."
    : `The page knows scores from half of the threshold, and of each photo the twenty highest: a slider ends there.${unknowing ? ` Of ${plural(unknowing, "photo")} it knows none.` : ""}`;
}

addEventListener("keydown", event => {
  const isTyping = event.target.matches("input[type=search], select");
  if (event.key === "/" && !isTyping && !box.open) { event.preventDefault(); search.focus(); search.select(); }
  if (event.key === "Escape" && !box.open) {
    if (!why.hidden) hideWhy();
    else if (event.target === search || event.target === find) { event.target.value = ""; refresh(); }
    else clear();
  }
});

search.addEventListener("input", refresh);
search.addEventListener("keydown", event => {
  if ((event.key === "ArrowDown" || event.key === "Enter") && visibleCards().length) { event.preventDefault(); grid.querySelector(".current .shot").focus(); }
});
sort.addEventListener("change", refresh);
document.querySelector("#without").addEventListener("click", () => { view.without = !view.without; refresh(); });
document.querySelector("[data-clear]").addEventListener("click", clear);
document.querySelector("#reset").addEventListener("click", () => {
  for (const id of [...moved.keys()]) { rows.get(id).slider.value = startOf(labels.get(id)); moveTo(id, startOf(labels.get(id))); }
});
const opener = document.querySelector("#open-side");
opener.addEventListener("click", () => { opener.ariaExpanded = String(document.body.classList.toggle("with-side")); });

for (const id of labels.keys()) makeRow(id);
orderTags();
grid.append(...photos.map(card));
showNames("#bad", `${plural(rest.bad.length, "photo")} could not be read`, rest.bad);
showNames("#beyond", `${plural(rest.beyond.length + rest.unnamed, "more photo")} beyond gallery_limit=${photos.length}`, rest.beyond.map(name => [name]).concat(rest.unnamed ? [[`and ${rest.unnamed.toLocaleString("en")} more`]] : []));
sayReach();
document.querySelector("#total").textContent = plural(photos.length + rest.bad.length + rest.beyond.length + rest.unnamed, "photo");
document.querySelector("#layout").hidden = false;
refresh();
