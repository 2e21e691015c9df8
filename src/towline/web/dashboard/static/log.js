// Logs: a bounded part of any length of log. New lines are added as they come, each once, a batch every few frames; earlier
// and later ones are fetched where the reader scrolls. A deployment's come by the WebSocket, a service's by a followed answer.
import { followLines, isConnected } from "./live.js";

const MOST = 5_000;
// Each batch costs the browser some work for every line that is there: while they come, fewer are kept.
const MOST_FOLLOWED = 200;
const BOTTOM = 1e9;
const PAUSE = 50;
const MOST_WAITING = 10_000;
const AT_ONCE = 200;
const PAGE = 1_000;
const NEAR = 40;
// A followed answer says something every 15 s, an empty line at least; a connection that is silent for longer is dead.
const SILENCE = 40_000;
const PATIENCE = 30_000;
const place = document.querySelector("[data-log]");
const list = place.querySelector(".log");
const told = place.querySelector("[data-log-state]");
const box = place.querySelector("[data-follow]");
const wants = box.querySelector("input");
const earlier = place.querySelector("[data-earlier]");
const url = new URL(place.dataset.log, location.href);
let waiting = [];
// The next line to be heard of; the first and the last one shown; and whether lines behind the last one are left out.
let next = Number(place.dataset.next);
let isBehind = "behind" in place.dataset;
let isAsked = false;
let addedAt = -PAUSE;
let isFetching = false;
let isHeld = false;
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const lastTold = { second: "", text: "" };
const shown = (item) => Number(item?.dataset.sequence ?? 0);

/** The time of day in the reader's zone; lines of one second share it, since telling it takes longer than the line. */
function timeOf(at) {
  const second = at.slice(0, 19);
  if (second !== lastTold.second) Object.assign(lastTold, { second, text: clock.format(new Date(at)) });
  return lastTold.text;
}

function element(line) {
  const item = document.createElement("li");
  item.className = line.stream === "system" ? `${line.level} system` : line.level;
  item.dataset.sequence = line.sequence;
  const time = document.createElement("time");
  time.dateTime = line.at;
  time.dataset.told = "1";
  time.textContent = timeOf(line.at);
  const text = document.createElement("span");
  text.dir = "auto";
  text.textContent = line.message;
  item.append(time, text);
  return item;
}

function fragment(lines) {
  const many = document.createDocumentFragment();
  for (const line of lines) many.append(element(line));
  return many;
}

/** Lines in order; those that are there already are left out, and so are those nobody looks at. */
function take(lines) {
  for (const line of lines) {
    if (line.sequence < next) continue;
    next = line.sequence + 1;
    if (!isBehind) waiting.push(line);
  }
  if (waiting.length > MOST_WAITING) {
    waiting = [];
    isBehind = true;
  }
  if (isBehind && wants.checked) askForLatest();
  ask();
}

function ask() {
  if (!waiting.length || isAsked || isHeld) return;
  isAsked = true;
  setTimeout(() => requestAnimationFrame(show), Math.max(0, addedAt + PAUSE - performance.now()));
}

function show() {
  isAsked = false;
  addedAt = performance.now();
  if (isHeld) return;
  if (!wants.checked && list.childElementCount >= MOST) {
    waiting = [];
    isBehind = true;
  } else {
    list.append(fragment(waiting.splice(0, AT_ONCE)));
    dropFirst();
    if (wants.checked) list.scrollTop = BOTTOM; // asking for the height would lay the page out at once
  }
  say();
  ask();
}

function dropFirst() {
  const most = wants.checked ? MOST_FOLLOWED : MOST;
  while (list.childElementCount > most) list.firstElementChild.remove();
  earlier.hidden = shown(list.firstElementChild) <= 1;
}

function say(text = "") {
  const said = text || (isBehind ? "There are later lines: follow, or scroll down." : "");
  if (told.textContent !== said) told.textContent = said;
}

const itemOf = (sequence) => list.querySelector(`[data-sequence="${sequence}"]`);

/** How high the lines before one stand. */
function shownAbove(sequence) {
  const item = itemOf(sequence);
  return item ? item.offsetTop - list.firstElementChild.offsetTop : 0;
}

async function fetchLines(parameters) {
  const asked = new URL(url);
  for (const [name, value] of Object.entries(parameters)) asked.searchParams.set(name, value);
  const answer = await fetch(asked, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

/** One fetch at a time; what fails is tried again when it is asked for again. */
async function once(load) {
  if (isFetching) return;
  isFetching = true;
  list.setAttribute("aria-busy", "true");
  try {
    await load();
    say();
  } catch {
    say("Towline does not answer. Try again.");
  } finally {
    isFetching = false;
    list.removeAttribute("aria-busy");
  }
}

/** Lines before the first one: what is being read does not move or, when they were asked for, they are shown. */
const loadEarlier = (isShown = false) => once(async () => {
  wants.checked = false;
  const first = shown(list.firstElementChild);
  const { items } = await fetchLines({ before: first || next, tail: PAGE });
  const top = list.scrollTop - list.scrollHeight;
  list.prepend(fragment(items));
  list.scrollTop = top + list.scrollHeight;
  if (isShown) list.scrollTop = shownAbove(first) - list.clientHeight / 2;
  while (list.childElementCount > MOST) {
    list.lastElementChild.remove();
    isBehind = true;
  }
  earlier.hidden = items.length < PAGE;
});

/** Fetch up to the end; what comes meanwhile waits, and goes on where the answer ends. */
async function join(parameters, put) {
  isHeld = true;
  isBehind = false;
  waiting = [];
  let isAtEnd = false;
  try {
    const page = await fetchLines(parameters);
    isAtEnd = put(page);
    next = Math.max(next, page.next_sequence);
    waiting = isAtEnd ? waiting.filter((line) => line.sequence >= page.next_sequence) : [];
  } finally {
    isBehind = !isAtEnd;
    isHeld = false;
    ask();
  }
}

/** Lines behind the last one, until there are no more: from there on they come by themselves. */
const loadLater = () => once(() => join({ since: shown(list.lastElementChild) + 1, limit: PAGE }, ({ items }) => {
  const top = list.scrollTop;
  list.append(fragment(items));
  const before = list.scrollHeight;
  dropFirst();
  list.scrollTop = top - (before - list.scrollHeight);
  return items.length < PAGE;
}));

/** The line that the page's address names, with what is around it. */
const showNamed = () => once(async () => {
  const sequence = Number(/^#line-(\d{1,15})$/.exec(location.hash)?.[1] ?? 0);
  if (!sequence) return;
  wants.checked = false;
  if (!itemOf(sequence)) {
    const { items } = await fetchLines({ before: sequence + PAGE / 2, tail: PAGE });
    list.replaceChildren(fragment(items));
    waiting = [];
    isBehind = true;
    earlier.hidden = shown(list.firstElementChild) <= 1;
  }
  list.querySelector("[aria-current]")?.removeAttribute("aria-current");
  itemOf(sequence)?.setAttribute("aria-current", "true");
  list.scrollTop = shownAbove(sequence) - list.clientHeight / 2;
});

/** The end of the log in place of what is shown. */
const askForLatest = () => once(() => join({ tail: PAGE }, ({ items }) => {
  list.replaceChildren(fragment(items));
  earlier.hidden = shown(list.firstElementChild) <= 1;
  list.scrollTop = list.scrollHeight;
  return true;
}));

/** Ends a request that has not been heard of for too long. */
class Silence extends AbortController {
  constructor() {
    super();
    this.broken();
  }

  broken() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.abort(), SILENCE);
  }
}

/** A followed answer of a running service; opened again, behind the last line that came, where it ended. */
async function stream() {
  for (let failures = 0; ; failures += 1) {
    try {
      const asked = new URL(url);
      asked.searchParams.set("follow", "true");
      asked.searchParams.set("since", next);
      const silence = new Silence();
      const answer = await fetch(asked, { cache: "no-store", signal: silence.signal });
      if ([401, 403, 404].includes(answer.status)) return say("This log ended for you.");
      if (answer.ok) {
        say();
        failures = 0;
        await readLines(answer.body, silence);
      }
    } catch {
      say("Reconnecting…");
    }
    await new Promise((done) => { setTimeout(done, Math.min(500 * 2 ** failures, 10_000)); });
  }
}

async function readLines(body, silence) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    silence.broken();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    take(parts.filter(Boolean).map((text) => JSON.parse(text)));
  }
}

/** Times are typed in the reader's zone and sent with it. */
function prepareTime() {
  const form = document.querySelector("[data-log-filter]");
  const since = form?.elements.since;
  if (!since) return;
  const at = since.dataset.at && new Date(since.dataset.at);
  if (at) since.value = new Date(at - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  form.addEventListener("formdata", ({ formData }) => {
    const moment = new Date(since.value);
    if (Number.isNaN(moment.valueOf())) formData.delete("since");
    else formData.set("since", moment.toISOString());
  });
}

box.hidden = false;
if (isBehind) wants.checked = false;
else list.scrollTop = list.scrollHeight;
list.addEventListener("scroll", () => {
  const left = list.scrollHeight - list.scrollTop - list.clientHeight;
  if (left >= NEAR && wants.checked && document.activeElement === list) wants.checked = false;
  if (left < NEAR && isBehind && !wants.checked) loadLater();
  if (list.scrollTop < NEAR && !wants.checked && !earlier.hidden) loadEarlier();
}, { passive: true });
wants.addEventListener("change", () => {
  if (!wants.checked) return;
  if (isBehind) askForLatest();
  else list.scrollTop = list.scrollHeight;
});
list.addEventListener("mouseover", ({ target }) => {
  if (target.dateTime) target.title ||= `${new Date(target.dateTime).toLocaleString()}. Click for the address of this line.`;
}, { passive: true });
list.addEventListener("click", ({ target }) => {
  if (target.matches("time")) location.hash = `line-${shown(target.parentElement)}`;
});
window.addEventListener("hashchange", showNamed);
list.addEventListener("wheel", ({ deltaY }) => { if (deltaY < 0) wants.checked = false; }, { passive: true });
earlier.addEventListener("click", (event) => {
  event.preventDefault();
  loadEarlier(true);
});
prepareTime();
say();
showNamed();

if (place.dataset.deployment) {
  followLines(place.dataset.deployment, () => next - 1, take);
  setInterval(() => {
    if (!isConnected()) fetchLines({ since: next, limit: PAGE }).then((page) => take(page.items)).catch(() => undefined);
  }, 3000);
} else {
  stream();
}
