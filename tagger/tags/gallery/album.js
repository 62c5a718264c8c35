// The album: what the blocks of data say, and which tags its photos have at the thresholds of the moment.

const rest = JSON.parse(document.querySelector("script.rest").textContent);
const labels = new Map(Object.entries(rest.labels));
const photos = [...document.querySelectorAll("script.photo")].map((block, number) => {
  const photo = JSON.parse(block.textContent);
  photo.number = number;
  photo.tags = photo.tags.map(([label, score, origin, because]) => ({label, score, origin, because}));
  photo.knowsNear = "near" in photo;
  photo.near = (photo.near ?? []).map(([label, score]) => ({label, score, origin: "near", because: ""}));
  photo.picture = block.nextElementSibling;
  return photo;
});

// Thresholds that were moved, by label.
const moved = new Map();

// What is looked at: photos that have all chosen labels, one of a group, or no tags; and the choice that cards show.
const view = {chosen: new Set(), group: "", without: false, filled: null};

const byLabel = new Map([...labels.keys()].map(label => [label, []]));
for (const photo of photos) for (const {label} of [...photo.tags, ...photo.near]) byLabel.get(label).push(photo);

// A tag stays until its slider is moved, whatever rounding did to scores.
const isGiven = tag => !moved.has(tag.label) || tag.score >= moved.get(tag.label);
const isNearGiven = tag => moved.has(tag.label) && tag.score >= moved.get(tag.label);

function recount(photo) {
  const near = photo.near.filter(isNearGiven);
  photo.shown = photo.tags.filter(isGiven);
  if (near.length) photo.shown = [...photo.shown, ...near].sort((a, b) => b.score - a.score);
  photo.has = new Set(photo.shown.map(tag => tag.label));
}

photos.forEach(recount);

const inGroup = (label, group) => label === group || labels.get(label).groups.includes(group);
const nameOf = label => labels.get(label).name;
const pictureOf = photo => photo.picture.textContent && `data:image/webp;base64,${photo.picture.textContent}`;

// "0.41", and for small scores as many digits as it takes to tell them apart.
const figure = value => value >= 0.1 || value === 0 ? value.toFixed(2) : value >= 0.001 ? value.toPrecision(2) : value.toExponential(0);

// What the label's curve on validation promises at a threshold: a point holds down to the next one.
function promised(label, threshold) {
  const points = (label.curve ?? []).filter(([from]) => from >= threshold);
  return points.length ? {precision: points.at(-1)[1], recall: points.at(-1)[2]} : null;
}

function element(name, settings = {}, ...children) {
  const made = Object.assign(document.createElement(name), settings);
  made.append(...children);
  return made;
}

const plural = (number, word) => `${number.toLocaleString("en")} ${word}${number === 1 ? "" : "s"}`;
