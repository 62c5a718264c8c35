// Why a photo has a tag: told beside whatever tag has the focus or the pointer.

const why = document.querySelector("#why");

function reason(tag) {
  const {from = 2} = labels.get(tag.label), now = moved.get(tag.label);
  const given = from > 1 ? "never given by the bundle" : `given from ${figure(from)}`;
  const because = tag.because || `scored ${figure(tag.score)}, ${given}`;
  return `${because[0].toUpperCase()}${because.slice(1)}${now === undefined ? "" : `; you moved that to ${figure(now)}`}.`;
}

const ORIGINS = {network: "seen by the network", rule: "follows from another tag", detector: "found by the detector", near: "came near"};

// Score and threshold as a bar: filled up to the score, a tick at the threshold.
function meter(tag) {
  const from = moved.get(tag.label) ?? labels.get(tag.label).from;
  const bar = element("span", {className: "meter"}, element("span", {className: "score"}));
  bar.firstChild.style.width = `${100 * tag.score}%`;
  bar.setAttribute("role", "img");
  bar.ariaLabel = `score ${figure(tag.score)}`;
  if (from <= 1) {
    bar.append(element("span", {className: "tick"}));
    bar.lastChild.style.left = `${100 * from}%`;
    bar.ariaLabel += `, threshold ${figure(from)}`;
  }
  return bar;
}

function showWhy(chip) {
  const tag = chip.tag;
  why.replaceChildren(
    element("strong", {}, element("bdi", {textContent: nameOf(tag.label)})),
    element("span", {className: "muted", textContent: ` ${ORIGINS[tag.origin] ?? ""}`}),
    meter(tag),
    element("span", {textContent: reason(tag)}),
  );
  why.hidden = false;
  chip.setAttribute("aria-describedby", "why");
  const at = chip.getBoundingClientRect(), size = why.getBoundingClientRect(), width = document.documentElement.clientWidth;
  const below = at.bottom + 6 + size.height < innerHeight;
  why.style.left = `${scrollX + Math.max(8, Math.min(at.left, width - size.width - 8))}px`;
  why.style.top = `${scrollY + (below ? at.bottom + 6 : at.top - size.height - 6)}px`;
}

function hideWhy() {
  why.hidden = true;
  document.querySelector("[aria-describedby=why]")?.removeAttribute("aria-describedby");
}

function explain(place) {
  const chipOf = event => event.target.closest(".chip");
  for (const kind of ["pointerover", "focusin", "click"]) {
    place.addEventListener(kind, event => { if (chipOf(event)) showWhy(chipOf(event)); });
  }
  place.addEventListener("focusout", hideWhy);
  place.addEventListener("pointerout", event => {
    // The pointer may go on to what is told, to read or copy it.
    if (chipOf(event) && !why.contains(event.relatedTarget)) hideWhy();
  });
}

why.addEventListener("pointerleave", hideWhy);
