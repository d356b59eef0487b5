"use strict";

// Sorts a table by the column whose heading is clicked, or on which Enter is pressed: numbers as
// numbers, what is unknown last.
function makeSortable(table) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const number = parseFloat(text.replaceAll(",", ""));
    return text === "-" ? -Infinity : Number.isNaN(number) ? text : number;
  };
  headings.forEach((heading, column) => {
    if (!heading.textContent.trim()) return;
    const sort = () => {
      const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const rows = [...body.rows].sort((a, b) => {
        const [one, other] = [value(a, column), value(b, column)];
        return sign * (typeof one === typeof other && one < other ? -1 : one > other ? 1 : 0);
      });
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      body.append(...rows);
    };
    heading.dataset.sortable = "";
    heading.tabIndex = 0;
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}

if (document.querySelector("h1#the-60-games")) {
  document.querySelectorAll("article table").forEach(makeSortable);
}
