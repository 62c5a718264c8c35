// The cards: a photo each, with its tags. Pictures are unpacked when they come near the window.

const CHIPS = 6;
const grid = document.querySelector("#cards");
const lazy = new IntersectionObserver(entries => {
  for (const {isIntersecting, target} of entries) {
    if (isIntersecting) { target.src = pictureOf(photos[target.dataset.photo]); lazy.unobserve(target); }
  }
}, {rootMargin: "800px"});

function chip(tag) {
  const made = element("button", {type: "button", className: `chip ${tag.origin}`, tabIndex: -1});
  made.append(element("bdi", {textContent: nameOf(tag.label)}));
  made.tag = tag;
  return made;
}

// The tags that are filtered by come first, so that nobody has to look for why a photo is here.
function fill(photo) {
  const first = photo.shown.filter(tag => view.chosen.has(tag.label));
  const tags = [...first, ...photo.shown.filter(tag => !view.chosen.has(tag.label))];
  const all = tags.length > CHIPS + 1 ? tags.slice(0, CHIPS) : tags;
  const items = all.map(tag => element("li", {}, chip(tag)));
  if (all.length < tags.length) {
    const more = element("button", {type: "button", className: "more", tabIndex: -1, textContent: `+${tags.length - all.length}`});
    more.ariaLabel = `${tags.length - all.length} more tags`;
    items.push(element("li", {}, more));
  }
  photo.chips.replaceChildren(...items);
  photo.shot.ariaLabel = [photo.name, ...tags.map(tag => nameOf(tag.label))].join(", ");
  if (photo.card.classList.contains("current")) reach(photo.card, 0);
}

function card(photo) {
  photo.shot = element("button", {type: "button", className: "shot", tabIndex: -1});
  if (photo.picture.textContent) {
    const picture = element("img", {alt: "", decoding: "async"});
    picture.dataset.photo = photo.number;
    photo.shot.append(picture);
    lazy.observe(picture);
  } else {
    photo.shot.append(element("span", {className: "muted", textContent: "cannot be read any more"}));
  }
  photo.chips = element("ul", {className: "chips"});
  const file = element("p", {className: "file", title: photo.path}, element("bdi", {textContent: photo.name}));
  photo.card = element("article", {className: "card"}, photo.shot, file, photo.chips);
  photo.card.photo = photo;
  return photo.card;
}

// One card at a time can be reached by Tab, with its tags; the arrow keys choose which.
function reach(card, tabIndex) {
  for (const button of card.querySelectorAll("button")) button.tabIndex = tabIndex;
}

function makeCurrent(card) {
  const before = grid.querySelector(".current");
  if (before === card) return;
  if (before) { before.classList.remove("current"); reach(before, -1); }
  if (card) { card.classList.add("current"); reach(card, 0); }
}

const visibleCards = () => [...grid.children].filter(card => !card.hidden);

function columns(cards) {
  const down = cards.findIndex(card => card.offsetTop > cards[0].offsetTop);
  return down < 0 ? cards.length : down;
}

grid.addEventListener("keydown", event => {
  const cards = visibleCards(), at = cards.indexOf(event.target.closest(".card"));
  const steps = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(cards), ArrowDown: columns(cards), Home: -at, End: cards.length - 1 - at};
  if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  const to = cards[Math.max(0, Math.min(cards.length - 1, at + steps[event.key]))];
  makeCurrent(to);
  to.photo.shot.focus();
});

grid.addEventListener("focusin", event => makeCurrent(event.target.closest(".card")));
grid.addEventListener("click", event => {
  const button = event.target.closest(".shot, .more");
  if (button) openBox(button.closest(".card").photo);
});
explain(grid);
