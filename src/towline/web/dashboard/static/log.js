// Logs: new lines are added as they come, each once; a deployment's by the WebSocket, a service's by a followed answer.
import { followLines, isConnected } from "./live.js";

const MOST = 20_000;
const place = document.querySelector("[data-log]");
const list = place.querySelector(".log");
const told = place.querySelector("[data-log-state]");
const box = place.querySelector("[data-follow]");
const wants = box.querySelector("input");
const waiting = [];
let next = Number(place.dataset.next);
let isAsked = false;

function element(line) {
  const item = document.createElement("li");
  item.className = line.stream === "system" ? `${line.level} system` : line.level;
  const time = document.createElement("time");
  const moment = new Date(line.at);
  time.dateTime = line.at;
  time.dataset.told = "1";
  time.title = moment.toLocaleString();
  time.textContent = moment.toLocaleTimeString();
  const text = document.createElement("span");
  text.dir = "auto";
  text.textContent = line.message;
  item.append(time, text);
  return item;
}

/** Lines in order; those that are there already are left out. */
function take(lines) {
  for (const line of lines) {
    if (line.sequence < next) continue;
    next = line.sequence + 1;
    waiting.push(line);
  }
  if (waiting.length && !isAsked) {
    isAsked = true;
    setTimeout(show, 50);
  }
}

function show() {
  isAsked = false;
  const batch = waiting.splice(0, 1000);
  const many = document.createDocumentFragment();
  for (const line of batch) many.append(element(line));
  list.append(many);
  while (list.childElementCount > MOST) list.firstElementChild.remove();
  if (wants.checked) list.scrollTop = list.scrollHeight;
  if (waiting.length) {
    isAsked = true;
    setTimeout(show, 0);
  }
}

async function readOn(url) {
  const answer = await fetch(`${url}${url.includes("?") ? "&" : "?"}since=${next}&limit=10000`, { cache: "no-store" });
  if (!answer.ok) return;
  const page = await answer.json();
  take(page.items);
}

/** A followed answer of a running service; opened again where it ended. */
async function stream(url) {
  for (let failures = 0; ; failures += 1) {
    try {
      const answer = await fetch(`${url}${url.includes("?") ? "&" : "?"}follow=true&since=${next}`, { cache: "no-store" });
      if ([401, 403, 404].includes(answer.status)) return void (told.textContent = "This log ended for you.");
      if (answer.ok) {
        told.textContent = "";
        failures = 0;
        await readLines(answer.body);
      }
    } catch {
      told.textContent = "Reconnecting…";
    }
    await new Promise((done) => { setTimeout(done, Math.min(500 * 2 ** failures, 10_000)); });
  }
}

async function readLines(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n");
    rest = parts.pop();
    take(parts.filter(Boolean).map((text) => JSON.parse(text)));
  }
}

box.hidden = false;
list.scrollTop = list.scrollHeight;
list.addEventListener("scroll", () => {
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  if (!isAtEnd && wants.checked && document.activeElement === list) wants.checked = false;
});
wants.addEventListener("change", () => { if (wants.checked) list.scrollTop = list.scrollHeight; });
list.addEventListener("wheel", ({ deltaY }) => { if (deltaY < 0) wants.checked = false; }, { passive: true });

if (place.dataset.deployment) {
  followLines(place.dataset.deployment, () => next - 1, take);
  setInterval(() => { if (!isConnected()) readOn(place.dataset.log).catch(() => undefined); }, 3000);
} else {
  stream(place.dataset.log);
}
