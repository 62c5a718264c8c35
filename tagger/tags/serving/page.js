// Runs once, on the part of the page it belongs to; what is inside is exchanged, so the listener is outside.
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-photo], button[data-label]");
  if (!button) return;
  if (button.dataset.photo !== undefined) {
    trigger("choose", { photo: Number(button.dataset.photo) });
    // On a telephone the photo's tags are below all photos.
    const tags = document.getElementById("tags");
    if (tags.getBoundingClientRect().top > window.innerHeight * 0.7) tags.scrollIntoView({ behavior: "smooth", block: "start" });
  } else if (button.dataset.say !== undefined) {
    trigger("say", { label: button.dataset.label, value: button.dataset.say });
  } else {
    trigger("look", { label: button.dataset.label });
  }
});
