// Turn the headings of a table into buttons that sort its rows: by `data-value` where cells have one, else by their text.
// `moved` is told the new order, as numbers that the rows had at first.
function sortable(table, moved = () => {}) {
  const body = table.tBodies[0], rows = [...body.rows], headings = [...table.tHead.rows[0].cells];
  function sort(heading) {
    const column = heading.cellIndex, cells = rows.map(row => row.cells[column]);
    const text = !cells.some(cell => "value" in cell.dataset);
    const first = text || heading.dataset.first === "ascending" ? "ascending" : "descending";
    const opposite = first === "ascending" ? "descending" : "ascending";
    const order = heading.ariaSort === first ? opposite : first;
    const sign = order === "ascending" ? 1 : -1;
    const values = cells.map(cell => text ? cell.textContent.trim().toLowerCase() : cell.dataset.value);
    const compare = (a, b) => text ? sign * values[a].localeCompare(values[b])
      : (values[a] === "") - (values[b] === "") || sign * (values[a] - values[b]);
    const sorted = rows.map((_, i) => i).sort((a, b) => compare(a, b) || a - b);
    body.append(...sorted.map(i => rows[i]));
    for (const other of headings) other.ariaSort = other === heading ? order : null;
    moved(sorted);
  }
  for (const heading of headings) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => sort(heading));
  }
}
