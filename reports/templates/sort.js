// Makes each column title of a table with the class "sortable" a button that sorts the rows by that column.
// The page says everything without it, in the order of importance.
function value(row, column) {
  const text = row.cells[column].innerText.trim();
  const number = /^(?:at most |at least |[<+])?\s*(-?[\d,]*\.?\d+(?:e[-+]?\d+)?)(%?)/.exec(text);
  if (!number) return text.replace(/^[^\p{L}\p{N}]+/u, ""); // without the symbol of a status
  return Number(number[1].replaceAll(",", "")) / (number[2] ? 100 : 1);
}
function order(a, b) { // numbers before texts
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return typeof a === "number" ? a - b : a.localeCompare(b, "en");
}
for (const table of document.querySelectorAll("table.sortable")) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...title.childNodes);
    title.append(button);
    button.addEventListener("click", () => {
      const down = title.ariaSort === "ascending";
      titles.forEach((other) => other.removeAttribute("aria-sort"));
      title.ariaSort = down ? "descending" : "ascending";
      const rows = [...table.tBodies[0].rows].map((row) => ({ row, key: value(row, column) }));
      rows.sort((a, b) => (down ? order(b.key, a.key) : order(a.key, b.key)));
      table.tBodies[0].append(...rows.map(({ row }) => row));
    });
  });
}
