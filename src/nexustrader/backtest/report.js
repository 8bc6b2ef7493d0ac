"use strict";
const figures = JSON.parse(document.getElementById("figures").textContent);
const root = document.documentElement;
const options = {
  responsive: true,
  displaylogo: false,
  plotlyServerURL: "",
  modeBarButtonsToRemove: ["sendChartToCloud", "sendDataToCloud", "select2d", "lasso2d"],
};

function paint(value, styles) {
  if (typeof value === "string") {
    return value.replace(/^var\((--[\w-]+)\)$/, (_, name) => styles.getPropertyValue(name).trim());
  }
  if (Array.isArray(value)) {
    return typeof value[0] === "object" && value[0] !== null ? value.map((one) => paint(one, styles)) : value;
  }
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, paint(one, styles)]));
}

function draw(place) {
  const folded = place.closest("details");
  if (folded !== null && !folded.open) return;
  const figure = paint(figures[place.id], getComputedStyle(root));
  Plotly.react(place, figure.data, figure.layout, options);
}

function drawAll() {
  document.querySelectorAll(".chart").forEach(draw);
}

function setTheme(theme) {
  root.dataset.theme = theme;
  document.getElementById("theme").textContent = theme === "dark" ? "Light" : "Dark";
  drawAll();
}

function sortBy(table, column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  const body = table.tBodies[0];
  const key = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  const rows = [...body.rows].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    const order = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
    return down ? -order : order;
  });
  table.querySelectorAll("thead th").forEach((one) => one.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  body.append(...rows);
}

document.querySelectorAll("table.sortable").forEach((table) => {
  table.querySelectorAll("thead th").forEach((head, column) => {
    head.tabIndex = 0;
    head.addEventListener("click", () => sortBy(table, column, head));
    head.addEventListener("keydown", (event) => {
      if (event.key === "Enter") sortBy(table, column, head);
    });
  });
});
document.querySelectorAll("details").forEach((one) => {
  one.addEventListener("toggle", () => one.querySelectorAll(".chart").forEach(draw));
});
const dark = window.matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
document.getElementById("theme").addEventListener("click", () => {
  setTheme(root.dataset.theme === "dark" ? "light" : "dark");
});
setTheme(dark.matches ? "dark" : "light");
