// The box: one photo large, with every tag and the reason for it.

const box = document.querySelector("#box");
const large = document.querySelector("#large");
let boxed = null;

function boxRow(tag) {
  const name = element("button", {type: "button", className: "link", title: "Show all photos with this tag"}, element("bdi", {textContent: nameOf(tag.label)}));
  name.addEventListener("click", () => { box.close(); view.chosen.clear(); toggle(tag.label); });
  return element("li", {className: tag.origin}, name, meter(tag), element("span", {className: "muted", textContent: reason(tag)}));
}

function show(photo) {
  boxed = photo;
  const picture = pictureOf(photo);
  large.hidden = !picture;
  if (picture) large.src = picture; else large.removeAttribute("src");
  large.alt = photo.name;
  document.querySelector("#box-name").textContent = photo.name;
  const path = document.querySelector("#box-path");
  path.replaceChildren(element("bdi", {textContent: photo.path}));
  if (photo.link) path.append(" · ", element("a", {href: photo.link, target: "_blank", rel: "noreferrer", textContent: "open the original"}));
  document.querySelector("#box-tags").replaceChildren(...photo.shown.map(boxRow));
  if (!photo.shown.length) document.querySelector("#box-tags").append(element("li", {className: "muted", textContent: "no tags"}));
  const near = [...photo.tags.filter(tag => !isGiven(tag)), ...photo.near.filter(tag => !isNearGiven(tag))];
  document.querySelector("#near").hidden = !near.length;
  document.querySelector("#near ul").replaceChildren(...near.sort((a, b) => b.score - a.score).map(boxRow));
  const cards = visibleCards(), at = cards.indexOf(photo.card);
  document.querySelector("#before").disabled = at <= 0;
  document.querySelector("#after").disabled = at === cards.length - 1;
}

function openBox(photo) {
  hideWhy();
  show(photo);
  box.showModal();
}

function turn(step) {
  const cards = visibleCards(), to = cards[cards.indexOf(boxed.card) + step];
  if (to) show(to.photo);
}

document.querySelector("#before").addEventListener("click", () => turn(-1));
document.querySelector("#after").addEventListener("click", () => turn(1));
document.querySelector("#close").addEventListener("click", () => box.close());
box.addEventListener("click", event => { if (event.target === box) box.close(); });
box.addEventListener("keydown", event => {
  if (event.key === "ArrowLeft") turn(-1);
  if (event.key === "ArrowRight") turn(1);
});
box.addEventListener("close", () => {
  if (boxed.card.hidden) return;
  makeCurrent(boxed.card);
  boxed.shot.focus();
});
