// Runs once for each part of the page. What is inside is exchanged, so that the listeners are outside.
const WIDEST = 9, STEPS = 1000; // as in views.py

const threshold = (at) => (at <= 0 ? 0 : at >= STEPS ? 2 : 1 / (1 + Math.exp(WIDEST - (2 * WIDEST * at) / STEPS)));

element.addEventListener("click", ({ target }) => {
  const button = target.closest("button[data-photo], button[data-label], button[data-reset]");
  if (!button) return;
  const { photo, label, say, reset } = button.dataset;
  if (reset !== undefined) trigger("reset", {});
  else if (say !== undefined) trigger("say", { label: Number(label), value: say });
  else if (label !== undefined) show("side", () => trigger("look", { label: Number(label) }));
  else show("tags", () => trigger("choose", { photo: Number(photo) }));
});

// On a telephone what was asked for is below all photos.
function show(id, ask) {
  ask();
  const top = document.getElementById(id).getBoundingClientRect().top;
  if (top > window.innerHeight * 0.8) document.getElementById(id).scrollIntoView({ behavior: "smooth" });
}

// While the server answers, a slider that is being dragged goes on: only the last of its places is sent then.
let asked = 0, next = null;

function move(to) {
  next = to;
  if (!asked) send();
}

function send() {
  clearTimeout(asked);
  asked = 0;
  if (next === null) return;
  trigger("move", { threshold: next });
  next = null;
  // No answer if nothing changed.
  asked = setTimeout(send, 2000);
}

element.addEventListener("input", ({ target }) => {
  if (target.matches("input[data-at]")) move(threshold(Number(target.value)));
});

element.addEventListener("change", ({ target }) => {
  if (!target.matches("input[data-exact]")) return;
  move(target.value === "" ? 2 : Number(target.value));
});

// A slider that is being dragged stays where the hand is.
let shown = null;
watch("value", () => {
  const slider = element.querySelector("input[data-at]");
  if (!slider) return;
  const exact = element.querySelector("input[data-exact]");
  if (slider !== document.activeElement || slider.dataset.of !== shown) slider.value = slider.dataset.at;
  if (exact !== document.activeElement || slider.dataset.of !== shown) exact.value = exact.dataset.exact;
  shown = slider.dataset.of;
  if (asked) send();
});
