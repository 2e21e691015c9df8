// What every page does besides being read: forms without leaving, menus, copy buttons, and parts that renew themselves.
import { follow } from "./live.js";
import { morph } from "./morph.js";

const PATIENCE = 30_000;
const SHOWN = 2_000;
const TICK = 5_000;
const UNITS = [[86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
const main = document.querySelector("main");

const { here, now } = document.body.dataset;
const ahead = Date.now() - new Date(now); // the reader's clock may be wrong
if (here) history.replaceState(null, "", here); // the address of a form cannot be asked for again

/**
 * Fetch this page again and bring what differs in, without losing focus, scroll or what is being typed.
 * What it is of may just be deleted by one of its forms, whose answer leads on; `isAnswered` once that has come.
 */
export async function renew(isAnswered = false) {
  if ("moving" in document.body.dataset) return undefined;
  const signal = AbortSignal.timeout(PATIENCE); // a request that hangs would be the last one
  const answer = await fetch(location.href, {
    headers: { Accept: "text/html" }, redirect: "manual", cache: "no-store", signal, // to sign in, or to where Towline is now
  });
  if (answer.type === "opaqueredirect" || answer.status === 404) return busy.size && !isAnswered ? undefined : location.reload();
  if (!answer.ok) return undefined;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  morph(main, fresh.querySelector("main"));
  prepare();
  return undefined;
}

const code = (text) => Object.assign(document.createElement("code"), { textContent: text });

/** The field of a form that an error names, as forms_read.py finds it: `source.config.url` is the field `url`. */
function fieldOf(form, named) {
  const shown = [...form.elements].filter(({ type }) => type !== "hidden");
  for (const name of named ? [named, named.replaceAll(".", "_"), ...named.split(".").reverse()] : []) {
    const found = shown.find((one) => one.name === name || one.dataset.field === name);
    if (found) return found;
  }
  return undefined;
}

/** What the page calls a field, without what stands in brackets behind it. */
function labelOf(field) {
  const words = [...field?.labels?.[0]?.childNodes ?? []].filter(({ nodeType }) => nodeType === Node.TEXT_NODE);
  return words.map(({ data }) => data).join("").trim().split(" (")[0];
}

/** Say what is wrong with a form, behind the field that it is about; what stands between backticks is something to type. */
export function complaint(form, text, named = "") {
  for (const one of form.querySelectorAll(".problem[role=alert]")) one.remove();
  for (const one of form.querySelectorAll("[aria-invalid]")) one.ariaInvalid = null;
  if (!text) return;
  const field = fieldOf(form, named);
  const label = labelOf(field);
  const told = label && text.startsWith(`${named}: `) ? label + text.slice(named.length) : text;
  const place = Object.assign(document.createElement("p"), { className: "problem", role: "alert" });
  place.dataset.keep = "";
  place.append(...told.split("`").map((part, at, all) => (at % 2 && at < all.length - 1 ? code(part) : part)));
  if (field) {
    for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    field.ariaInvalid = "true";
    (field.closest("p") ?? field.closest("label") ?? field).after(place);
    field.focus(); // which may be far above the button that was pressed
  } else form.prepend(place);
  place.scrollIntoView({ block: "nearest" });
}

/** Send a form as it is; where it leads, or an error whose message is for people. */
export async function send(form, fields) {
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(fields), headers: { "X-Towline-Form": "1" }, cache: "no-store",
  });
  if (answer.status === 401) return location.reload();
  // What is no JSON comes from a proxy in front of a Towline that is not there.
  const content = await answer.json().catch(() => { throw new TypeError("no answer"); });
  if (!answer.ok) throw Object.assign(new Error([content.detail, content.hint].filter(Boolean).join(" ")), { field: content.field });
  return content.to;
}

const busy = new Set();
const SOON = 500;

/** Mark a form as being sent, for as long as `work` takes; undefined where it is being sent already. */
export async function once(form, button, work) {
  if (busy.has(form)) return undefined;
  busy.add(form);
  button?.setAttribute("aria-busy", "true");
  const timer = setTimeout(() => tell("Working…"), SOON);
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    free(form);
  }
}

function tell(text) {
  document.getElementById("busy").textContent = text;
}

function free(form) {
  busy.delete(form);
  for (const button of form.querySelectorAll("[aria-busy]")) button.removeAttribute("aria-busy");
  if (!busy.size) tell("");
}

/** Go to another page; what led there stays busy until that has come. */
export function go(to) {
  location.assign(to);
  return new Promise(() => {});
}

/** A form that the browser sends by itself: a second press does nothing while it waits for the answer. */
function leave(event, form) {
  if (busy.has(form)) return event.preventDefault();
  return once(form, event.submitter, () => new Promise(() => {}));
}

async function submit(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post") return;
  if ("plain" in form.dataset || !form.closest("main")) return leave(event, form);
  event.preventDefault();
  const button = event.submitter;
  await once(form, button, async () => {
    complaint(form, "");
    try {
      const to = await send(form, new FormData(form, button));
      if (to === undefined) return undefined;
      if (new URL(to, location.href).pathname !== location.pathname) return await go(to);
      if ("empties" in form.dataset) form.reset();
      return await renew(true);
    } catch (error) {
      return complaint(form, error instanceof TypeError ? "Towline does not answer. Try again." : error.message, error.field);
    }
  });
}

/** What the server sends is complete; this only says times in the reader's zone and shows what needs scripts. */
function prepare() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-told])")) {
    const moment = new Date(time.dateTime);
    time.dataset.told = "1";
    if (Number.isNaN(moment.valueOf())) continue;
    time.title = moment.toLocaleString();
    if (time.textContent.endsWith(" ago")) time.dataset.ago = "1";
    if ("exact" in time.dataset) time.textContent = moment.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
    if (time.closest(".log")) time.textContent = moment.toLocaleTimeString();
  }
  for (const text of document.querySelectorAll("text[data-time]:not([data-told])")) {
    const moment = new Date(text.dataset.time);
    text.dataset.told = "1";
    const isToday = moment.toDateString() === new Date().toDateString();
    text.textContent = isToday ? moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })
      : moment.toLocaleDateString([], { weekday: "short", hour: "2-digit", minute: "2-digit" });
  }
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
}

/** How long ago something was goes on while a page is open; in the words of the server, `ago` in templating.py. */
function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const seconds = Math.max(Date.now() - ahead - new Date(time.dateTime), 0) / 1000;
    const [length, unit] = UNITS.find(([least]) => seconds >= least) ?? UNITS.at(-1);
    const text = `${Math.floor(seconds / length)} ${unit} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

/** Pages that came by plain http have no clipboard of their own; there the browser copies what is selected. */
async function putIntoClipboard(text) {
  const isPut = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (isPut) return true;
  const focused = document.activeElement;
  const box = Object.assign(document.createElement("textarea"), { value: text, className: "unseen" });
  document.body.append(box);
  box.select();
  const isCopied = document.execCommand("copy");
  box.remove();
  focused?.focus();
  return isCopied;
}

function unfold() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") target.open = true;
}

const openPalette = async () => (await import("./palette.js")).open();
const openShortcuts = async () => (await import("./shortcuts.js")).open();
const opener = document.querySelector("[data-palette]");
if (opener) {
  opener.hidden = false;
  opener.addEventListener("click", openPalette);
}
for (const button of document.querySelectorAll("[data-shortcuts]")) {
  button.hidden = false;
  button.addEventListener("click", openShortcuts);
}
document.addEventListener("submit", submit);
// Who comes back by the browser's own button finds the page as it was left.
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) for (const form of [...busy]) free(form); });
window.addEventListener("hashchange", unfold);
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    copy.textContent = (await putIntoClipboard(copy.dataset.copy)) ? "Copied" : "Not copied";
    tell(copy.textContent);
    setTimeout(() => { copy.textContent = "Copy"; tell(""); }, SHOWN);
  }
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
const KEYS = { "/": openPalette, "?": openShortcuts };
const isTyping = ({ target }) => target.matches("input:not([type=checkbox], [type=radio], [type=submit]), textarea, select");
document.addEventListener("keydown", (event) => {
  const hasModifier = event.ctrlKey || event.metaKey || event.altKey;
  const open = event.key === "k" && (event.ctrlKey || event.metaKey) ? openPalette : !hasModifier && !isTyping(event) && KEYS[event.key];
  if (open) {
    event.preventDefault();
    if (!document.querySelector("dialog[open]")) open();
    return;
  }
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll(".menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
prepare();
unfold();
// What the server put into a refused form was typed before, and is kept as that when the page renews itself.
for (const field of document.querySelectorAll("[data-refilled] :is(input:not([type=file]), textarea)")) {
  Object.assign(field, { value: field.value, checked: field.checked });
}
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
// What changes without an event: figures that are measured now and then.
const every = Number(document.querySelector("[data-every]")?.dataset.every);
if (every) setInterval(() => { if (document.visibilityState === "visible") renew().catch(() => undefined); }, every * 1000);
setInterval(tick, TICK);
const rooms = document.body.dataset.rooms?.split(" ").filter(Boolean) ?? [];
if (rooms.length) follow(rooms, renew);
