"use strict";
// Without this script the page shows every row; with it, the kinds can be told apart.
const filter = document.getElementById("filter");
if (filter) {
  const items = [...document.querySelectorAll(".item")];
  const shown = document.getElementById("shown");
  filter.hidden = false;
  filter.addEventListener("change", (event) => {
    const kind = event.target.value;
    let count = 0;
    for (const item of items) {
      item.hidden = kind !== "" && item.dataset.kind !== kind;
      count += item.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${items.length} rows are shown.`;
  });
}
