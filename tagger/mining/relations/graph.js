// A label that is pointed at shows its own relations; a click keeps it so, and the table shows only them.
{
  const rows = [...document.querySelectorAll("#relations tbody tr")];
  const graph = document.querySelector("#graph"), search = document.querySelector("#search");
  const nodes = [...document.querySelectorAll("#graph .node")], edges = [...document.querySelectorAll("#graph .edge")];
  const boxes = [...document.querySelectorAll("[data-filter]")];
  let kept = null;
  const touches = (element, node) => element.dataset.one === node || element.dataset.other === node;
  const isAllowed = element => boxes.every(box => box.checked || element.dataset[box.dataset.filter] !== box.value);
  function light(node) {
    const near = new Set([node]);
    for (const edge of edges)
      if (touches(edge, node) && isAllowed(edge)) near.add(edge.dataset.one).add(edge.dataset.other);
    const word = search.value.trim().toLowerCase();
    for (const edge of edges) {
      edge.classList.toggle("gone", !isAllowed(edge));
      edge.classList.toggle("dim", node !== null ? !touches(edge, node) : word !== "");
    }
    for (const element of nodes) {
      const isFound = word === "" || element.textContent.toLowerCase().includes(word);
      element.classList.toggle("dim", node !== null ? !near.has(element.dataset.node) : !isFound);
    }
  }
  function update() {
    const word = search.value.trim().toLowerCase();
    for (const row of rows)
      row.hidden = !isAllowed(row) || (kept !== null && !touches(row, kept)) || !row.dataset.labels.toLowerCase().includes(word);
    for (const element of nodes) element.ariaPressed = String(element.dataset.node === kept);
    light(kept);
  }
  function keep(node) {
    kept = kept === node ? null : node;
    update();
  }
  for (const element of nodes) {
    const node = element.dataset.node;
    element.addEventListener("pointerenter", () => light(node));
    element.addEventListener("pointerleave", () => light(kept));
    element.addEventListener("focus", () => light(node));
    element.addEventListener("blur", () => light(kept));
    element.addEventListener("click", () => keep(node));
    element.addEventListener("keydown", event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); keep(node); }
      if (event.key === "Escape") { kept = null; update(); }
    });
  }
  if (graph) {
    for (const box of boxes) box.addEventListener("change", update);
    search.addEventListener("input", update);
    document.querySelector("#controls").hidden = false;
    update();
  }
  sortable(document.querySelector("#relations"));
}
