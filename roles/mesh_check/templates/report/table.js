/* Copyright: (c) 2026, wirewatch developers
   GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";
const filters = document.getElementById("filters");

(function () {
  const table = document.getElementById("table");
  const body = table.tBodies[0];
  const count = document.getElementById("count");
  const rows = Array.from(body.rows, (row, number) => {
    const cells = row.cells;
    return {
      row,
      number,
      state: cells[0].firstElementChild.classList[1],
      // The first text of a cell is the host, what follows is its interface.
      hosts: [cells[1], cells[2]].map((cell) => (cell.firstChild ? cell.firstChild.data.trim().toLowerCase() : "")),
      text: row.textContent.toLowerCase(),
      wrong: row.classList.contains("wrong"),
    };
  });
  // More rows at once are slow to lay out, and more cards than anybody scrolls through; a button brings the rest.
  const FEW = 200;
  const more = document.getElementById("more");
  let most = FEW;
  const known = new Set(rows.flatMap((one) => one.hosts));

  function filter() {
    const host = filters.elements.host.value.trim().toLowerCase();
    const words = filters.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = new Set(Array.from(filters.querySelectorAll("[name=state]:checked"), (box) => box.value));
    // A name that there is means that host; a part of one means all that have it.
    const named = known.has(host) ? (name) => name === host : (name) => name.includes(host);
    let found = 0;
    for (const one of rows) {
      const fits =
        states.has(one.state) &&
        (one.wrong || !filters.elements.wrong.checked) &&
        (!host || one.hosts.some(named)) &&
        words.every((word) => one.text.includes(word));
      found += fits;
      one.row.hidden = !fits || found > most;
    }
    const shown = Math.min(found, most);
    count.textContent = "Shows " + shown + " of " + rows.length + (rows.length === 1 ? " link" : " links");
    more.textContent = "Show " + (found - shown) + " more";
    more.hidden = found === shown;
  }

  // Numbers by what they are, the rest by its words; what is empty comes last in either direction.
  function sort(column, down) {
    const collator = new Intl.Collator("en", { numeric: true });
    const value = (one) => {
      const cell = one.row.cells[column];
      return cell.dataset.value === undefined ? cell.textContent.trim() : Number(cell.dataset.value);
    };
    const keys = new Map(rows.map((one) => [one, column ? value(one) : one.number]));
    rows.sort((a, b) => {
      const [one, other] = [keys.get(a), keys.get(b)];
      if (one === other) return a.number - b.number;
      if (one === "" || other === "") return one === "" ? 1 : -1;
      // "never" is older than any age.
      if (typeof one !== typeof other) return (typeof one === "string" ? 1 : -1) * (down ? -1 : 1);
      return (typeof one === "number" ? one - other : collator.compare(one, other)) * (down ? -1 : 1);
    });
    body.append(...rows.map((one) => one.row));
    filter();
  }

  Array.from(table.tHead.rows[0].cells, (header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const down = header.getAttribute("aria-sort") === "ascending";
      table.tHead.querySelectorAll("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", down ? "descending" : "ascending");
      sort(column, down);
    });
  });

  more.addEventListener("click", () => {
    most = Infinity;
    filter();
  });
  filters.addEventListener("input", filter);
  document.getElementById("all").addEventListener("click", () => {
    filters.reset();
    filter();
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.hidden = false;
  filter();
})();
