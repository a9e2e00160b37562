// Sorts, filters and opens what a page lists: rows of a table, or articles. Without it everything is shown, in the order given.
"use strict";

const all = (selector, inside = document) => [...inside.querySelectorAll(selector)];
const collator = new Intl.Collator("en", { numeric: true });

// The items of a list, in their present order: rows (each may have a row of details below it), or articles.
const items = (list) => all(":scope > tbody > tr:not(.details), :scope > article", list);
const details = (item) => (item.nextElementSibling?.matches("tr.details") ? item.nextElementSibling : null);

function sort(list, key, falling) {
  const keyed = items(list).map((item) => [key(item), item]);
  const empty = (value) => value === "" || Number.isNaN(value);
  keyed.sort(([a], [b]) => {
    if (empty(a) || empty(b)) return empty(a) - empty(b); // last, in both directions
    const order = typeof a === "number" ? a - b : collator.compare(a, b);
    return falling ? -order : order;
  });
  for (const [, item] of keyed) {
    const below = details(item);
    item.parentElement.append(item);
    if (below) item.parentElement.append(below);
  }
}

function sortByHeading(heading) {
  const table = heading.closest("table");
  const column = [...heading.parentElement.children].indexOf(heading);
  const number = heading.classList.contains("number");
  // The first click on numbers shows the largest, on words the first of the alphabet.
  const falling = heading.ariaSort === "none" ? number : heading.ariaSort === "ascending";
  for (const other of heading.parentElement.children) if (other.ariaSort) other.ariaSort = "none";
  heading.ariaSort = falling ? "descending" : "ascending";
  const text = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent.trim();
  sort(table, number ? (row) => (text(row) === "" ? NaN : Number(text(row))) : text, falling);
}

// A form filters the list that it names: by words, all of which must occur, and by choices.
function filter(form) {
  const list = document.getElementById(form.dataset.of);
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const choices = all("select[data-by]", form).filter((choice) => choice.value);
  let shown = 0;
  for (const item of items(list)) {
    const text = (item.dataset.text ?? item.textContent).toLowerCase();
    const fits =
      words.every((word) => text.includes(word)) &&
      choices.every((choice) => item.dataset[choice.dataset.by] === choice.value);
    item.classList.toggle("filtered", !fits);
    details(item)?.classList.toggle("filtered", !fits);
    shown += fits;
  }
  form.elements.shown.value = `${shown} of ${items(list).length} shown`;
}

// A row's details show the figures of the page that belong to them, once they are opened.
function open(button) {
  const below = document.getElementById(button.getAttribute("aria-controls"));
  below.hidden = !below.hidden;
  button.setAttribute("aria-expanded", String(!below.hidden));
  for (const link of all("a[data-figure]", below)) {
    const copy = document.getElementById(link.dataset.figure).cloneNode(true);
    copy.removeAttribute("id");
    link.replaceWith(copy);
  }
}

for (const button of all("th > button")) button.addEventListener("click", () => sortByHeading(button.parentElement));
for (const button of all("button[aria-controls]")) button.addEventListener("click", () => open(button));
for (const form of all("form[data-of]")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => filter(form));
  form.elements.order?.addEventListener("change", ({ target }) => {
    const list = document.getElementById(form.dataset.of);
    const numeric = target.selectedOptions[0].dataset.kind === "number";
    sort(list, (item) => (numeric ? Number(item.dataset[target.value]) : item.dataset[target.value]), false);
  });
  filter(form); // a browser keeps what was typed when it loads a page again
}

// Clips are played where they lie; a browser cannot play every format.
for (const video of all("details.clip > video")) {
  video.parentElement.addEventListener("toggle", () => (video.parentElement.open ? video.play().catch(() => {}) : video.pause()));
  video.addEventListener("error", () => video.replaceWith("This browser cannot play the clip. Open it with the link above."));
}

// Corrections, as a CSV that `fsar predict --support` reads beside the page: its paths are relative to the page.
const choices = all("select[data-right]");
const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
const corrections = () =>
  ["path,class", ...choices.filter((one) => one.value).map((one) => `${quoted(one.dataset.right)},${quoted(one.value)}`), ""].join("\n");
for (const choice of choices) {
  choice.append(document.getElementById("classes").content.cloneNode(true));
  choice.parentElement.hidden = false;
  choice.addEventListener("change", () => {
    document.getElementById("export").disabled = choices.every((one) => !one.value);
  });
}
document.getElementById("export")?.addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([corrections()], { type: "text/csv" }));
  link.download = "corrections.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});
