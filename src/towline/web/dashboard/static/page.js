// What every page does besides being read: forms without leaving, menus, copy buttons, and parts that renew themselves.
import { follow } from "./live.js";
import { morph } from "./morph.js";

const main = document.querySelector("main");

/** Fetch this page again and bring what differs in, without losing focus, scroll or what is being typed. */
export async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (answer.redirected) return location.reload();
  if (answer.status === 404) return location.reload();
  if (!answer.ok) return undefined;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  morph(main, fresh.querySelector("main"));
  prepare();
  return undefined;
}

const code = (text) => Object.assign(document.createElement("code"), { textContent: text });

/** Say what is wrong with a form; what stands between backticks is something to type. */
function complaint(form, text) {
  let place = form.querySelector(":scope > .problem");
  if (!place) {
    place = document.createElement("p");
    place.className = "problem";
    place.setAttribute("role", "alert");
    form.prepend(place);
  }
  place.replaceChildren(...text.split("`").map((part, at, all) => (at % 2 && at < all.length - 1 ? code(part) : part)));
}

/** Send a form as it is; where it leads, or an error whose message is for people. */
export async function send(form, fields) {
  const answer = await fetch(form.action, {
    method: "POST", body: new URLSearchParams(fields), headers: { "X-Towline-Form": "1" }, cache: "no-store",
  });
  if (answer.status === 401) return location.reload();
  const content = await answer.json();
  if (!answer.ok) throw new Error([content.detail, content.hint].filter(Boolean).join(" "));
  return content.to;
}

async function submit(event) {
  const form = event.target;
  if (event.defaultPrevented || form.method !== "post" || "plain" in form.dataset || !form.closest("main")) return;
  event.preventDefault();
  const button = event.submitter;
  if (button?.getAttribute("aria-busy")) return;
  button?.setAttribute("aria-busy", "true");
  complaint(form, "");
  try {
    const to = await send(form, new FormData(form, button));
    if (to === undefined) return;
    if (new URL(to, location.href).pathname !== location.pathname) return location.assign(to);
    if ("empties" in form.dataset) form.reset();
    await renew();
  } catch (error) {
    complaint(form, error instanceof TypeError ? "Towline does not answer. Try again." : error.message);
  } finally {
    button?.removeAttribute("aria-busy");
  }
}

/** What the server sends is complete; this only says times in the reader's zone and shows what needs scripts. */
function prepare() {
  for (const time of document.querySelectorAll("time[datetime]:not([data-told])")) {
    const moment = new Date(time.dateTime);
    time.dataset.told = "1";
    if (Number.isNaN(moment.valueOf())) continue;
    time.title = moment.toLocaleString();
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
  for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
}

function unfold() {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target?.tagName === "DETAILS") target.open = true;
}

const openPalette = async () => (await import("./palette.js")).open();
const opener = document.querySelector("[data-palette]");
if (opener) {
  opener.hidden = false;
  opener.addEventListener("click", openPalette);
}
document.addEventListener("submit", submit);
window.addEventListener("hashchange", unfold);
document.addEventListener("click", async (event) => {
  const copy = event.target.closest("[data-copy]");
  if (copy) {
    await navigator.clipboard.writeText(copy.dataset.copy);
    copy.textContent = "Copied";
  }
  for (const menu of document.querySelectorAll(".menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    openPalette();
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
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
// What changes without an event: figures that are measured now and then.
const every = Number(document.querySelector("[data-every]")?.dataset.every);
if (every) setInterval(() => { if (document.visibilityState === "visible") renew().catch(() => undefined); }, every * 1000);
const rooms = document.body.dataset.rooms?.split(" ").filter(Boolean) ?? [];
if (rooms.length) follow(rooms, renew);
