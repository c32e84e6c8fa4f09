/* Copyright: (c) 2026, wirewatch developers
   GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later */
// The drawings answer to a pointer: what it points at, in words, and a click that filters the table. The keyboard has the filters.
(function () {
  function show(host, text) {
    filters.elements.host.value = host;
    filters.elements.text.value = text;
    filters.dispatchEvent(new Event("input"));
    filters.scrollIntoView();
  }

  for (const node of document.querySelectorAll("#circle .node")) {
    node.addEventListener("click", () => show(node.dataset.host, ""));
  }

  const matrix = document.getElementById("matrix");
  if (!matrix) return;
  const facts = JSON.parse(document.getElementById("mesh-facts").textContent);
  const hosts = Array.from(document.querySelectorAll("#hosts option"), (option) => option.value);
  const pointed = document.getElementById("pointed");
  let seen = null;

  // By host and host that it sees: the states, as one host may see another one through several interfaces.
  function sights() {
    const found = new Map();
    for (const [here, ...others] of facts.links) {
      for (let at = 0; at < others.length; at += 2) {
        const pair = JSON.stringify([facts.places[here][0], facts.places[others[at]][0]]);
        const state = facts.sights[others[at + 1]][0].replace("_", " ");
        found.set(pair, found.has(pair) ? found.get(pair) + ", " + state : state);
      }
    }
    return found;
  }

  function under(event) {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix.getScreenCTM().inverse());
    const cell = Number(matrix.dataset.cell);
    return [hosts[Math.floor(place.y / cell)], hosts[Math.floor(place.x / cell)]];
  }

  matrix.addEventListener("pointermove", (event) => {
    const [host, other] = under(event);
    seen = seen || sights();
    pointed.textContent =
      host === undefined || other === undefined || host === other
        ? ""
        : host + " sees " + other + ": " + (seen.get(JSON.stringify([host, other])) || "no peer");
  });
  matrix.addEventListener("click", (event) => {
    const [host, other] = under(event);
    if (host !== undefined && other !== undefined) show(host, other);
  });
})();
