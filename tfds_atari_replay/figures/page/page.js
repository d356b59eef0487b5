"use strict";

const ROWS_AT_ONCE = 100;

async function startPlayer(player) {
  const data = JSON.parse(player.querySelector("script").textContent);
  const canvas = player.querySelector("canvas");
  const context = canvas.getContext("2d");
  const sheet = player.querySelector("img");
  const slider = player.querySelector("input");
  const button = player.querySelector("button");
  const output = player.querySelector("output");
  const count = data.gained.length;
  const size = canvas.width;
  let total = 0;
  const returns = data.gained.map((gained) => (total += gained));
  let timer = null;
  await sheet.decode();

  function show() {
    const frame = Number(slider.value);
    const left = (frame % data.columns) * size;
    const top = Math.floor(frame / data.columns) * size;
    context.drawImage(sheet, left, top, size, size, 0, 0, size, size);
    const recent = data.gained.slice(Math.max(0, frame - data.hold + 1), frame + 1).findLast((gained) => gained);
    canvas.dataset.gained = recent ? (recent > 0 ? "good" : "bad") : "";
    const step = `step ${frame * data.stride} of ${data.length}`;
    output.textContent = `${step}, ${data.actions[frame]}, ${data.sum} ${returns[frame]}`;
    slider.setAttribute("aria-valuetext", step);
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function advance() {
    slider.value = Number(slider.value) + 1;
    show();
    if (Number(slider.value) === count - 1) stop();
  }

  button.addEventListener("click", () => {
    if (timer !== null) return stop();
    if (Number(slider.value) === count - 1) slider.value = 0;
    button.textContent = "Pause";
    timer = setInterval(advance, 1000 / data.fps);
  });
  slider.addEventListener("input", () => {
    stop();
    show();
  });
  show();
}

function startTable(table) {
  const columns = JSON.parse(document.getElementById("columns").textContent);
  const more = document.getElementById("more");
  const headings = [...table.querySelectorAll("th")];
  const names = headings.map((heading) => heading.dataset.column);
  const order = columns[names[0]].map((_, place) => place);
  let shown = ROWS_AT_ONCE;

  function show() {
    const rows = order.slice(0, shown).map((place) => {
      const row = document.createElement("tr");
      for (const name of names) {
        const value = columns[name][place];
        row.insertCell().textContent = typeof value === "boolean" ? (value ? "yes" : "no") : (value?.toLocaleString("en") ?? "?");
      }
      return row;
    });
    table.tBodies[0].replaceChildren(...rows);
    more.hidden = shown >= order.length;
    document.getElementById("shown").textContent = `${rows.length.toLocaleString("en")} of ${order.length.toLocaleString("en")}`;
  }

  function sort(heading) {
    const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const values = columns[heading.dataset.column].map((value) => value ?? -Infinity);
    // Equal ones stay in the order of time.
    order.sort((a, b) => sign * (values[a] - values[b]) || a - b);
    for (const other of headings) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    shown = ROWS_AT_ONCE;
    show();
  }

  for (const heading of headings) {
    heading.querySelector("button").addEventListener("click", () => sort(heading));
  }
  more.addEventListener("click", () => {
    shown += ROWS_AT_ONCE;
    show();
  });
  headings[0].setAttribute("aria-sort", "ascending");
  show();
}

document.querySelectorAll(".player").forEach(startPlayer);
startTable(document.getElementById("table"));
