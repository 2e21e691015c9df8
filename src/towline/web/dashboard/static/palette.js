// The command palette: every page one may go to and what can be done at once, found by typing.
import { go, send } from "./page.js";
import { gather, gatherFor, places } from "./places.js";

const MOST = 30;
const PAUSE = 150;
const HINT = "Projects, services, pages, deployments such as web #12; deploy, restart, invite…";
const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Go to");
dialog.innerHTML = '<input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-label="Go to a project, service or page" autocomplete="off" spellcheck="false"><ul role="listbox" id="palette-list" aria-label="Pages"></ul><p class="hint" role="status"></p>';
document.body.append(dialog);
const input = dialog.querySelector("input");
const list = dialog.querySelector("ul");
const told = dialog.querySelector("p");
let found = [];
let chosen = 0;
let searching = 0;
let newest = 0;

const typed = () => input.value.toLowerCase().split(/[\s/]+/).filter(Boolean);
const isIn = (text, word) => (word.startsWith("#") ? `${text} `.includes(`${word} `) : text.includes(word));

function matching() {
  const words = typed();
  const all = [...places.values()].filter(({ text }) => words.every((word) => isIn(text.toLowerCase(), word)));
  return all.sort((a, b) => a.text.length - b.text.length).slice(0, MOST);
}

function show() {
  const before = found[chosen];
  found = matching();
  chosen = Math.max(found.findIndex(({ text }) => text === before?.text), 0);
  list.replaceChildren(...found.map(({ href, text }, place) => {
    const item = document.createElement("li");
    item.id = `palette-${place}`;
    item.role = "option";
    if (href) item.dataset.href = href;
    item.dir = "auto";
    item.textContent = text;
    return item;
  }));
  mark();
  told.textContent = found.length ? (input.value ? "" : HINT) : (searching ? "Searching…" : "Nothing of that name.");
}

async function search(work) {
  searching += 1;
  try {
    await work;
  } finally {
    searching -= 1;
    show();
  }
}

/** Ask for what the words lead to once nothing more is typed for a moment. */
async function ask() {
  newest += 1;
  const mine = newest;
  await new Promise((done) => { setTimeout(done, PAUSE); });
  if (mine === newest) await gatherFor(typed());
}

function mark() {
  for (const [place, item] of [...list.children].entries()) item.ariaSelected = String(place === chosen);
  input.setAttribute("aria-activedescendant", found.length ? `palette-${chosen}` : "");
  list.children[chosen]?.scrollIntoView({ block: "nearest" });
}

/** Go where the chosen one leads, or do it and go where that leads. */
async function choose({ href, action, fields }) {
  if (href) {
    dialog.close();
    return location.assign(href);
  }
  if (list.ariaBusy) return undefined;
  list.ariaBusy = "true";
  told.textContent = "Working…";
  try {
    const to = await send({ action }, fields);
    if (to) await go(to);
  } catch (error) {
    told.textContent = error instanceof TypeError ? "Towline does not answer. Try again." : error.message;
  } finally {
    list.ariaBusy = null;
  }
  return undefined;
}

/** Open the palette. */
export function open() {
  if (document.querySelector("dialog[open]")) return;
  input.value = "";
  found = [];
  dialog.showModal();
  search(gather(show));
}

input.addEventListener("input", () => {
  found = [];
  show();
  search(ask());
});
input.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    chosen = Math.max(0, Math.min(found.length - 1, chosen + step));
    mark();
  } else if (event.key === "Enter" && found[chosen]) choose(found[chosen]);
});
list.addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (item) choose(found[[...list.children].indexOf(item)]);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
