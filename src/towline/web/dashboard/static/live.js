// The one WebSocket of a page: events of its rooms, resumed by sequence; polling where WebSockets are blocked.

const listeners = { lines: [] };
const state = { rooms: [], since: null, socket: null, failures: 0, timer: 0, heard: 0, isPolling: false, change: null };
const PAUSE = 250;
const SLOWEST = 15_000;
const POLL = 5_000;
const CHECK = 30_000;
const PATIENCE = 10_000;
const sign = document.getElementById("live");

/** Call `change` soon after anything in the rooms changed. */
export function follow(rooms, change) {
  const { since } = document.body.dataset; // what changed after the page was made counts, before it is heard of
  Object.assign(state, { rooms, change, since: since ? Number(since) : null });
  connect();
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") check(); });
  for (const name of ["online", "offline", "pageshow"]) window.addEventListener(name, check);
  setInterval(check, CHECK);
}

/** A connection can be dead without the browser's knowledge, after sleep or in another network: then it does not answer. */
function check() {
  const { socket, heard } = state;
  if (socket?.readyState !== WebSocket.OPEN) return connect();
  socket.send(JSON.stringify({ action: "unsubscribe", rooms: ["user:nobody"] })); // answered, and changes nothing
  setTimeout(() => { if (state.heard === heard) lose(socket); }, PATIENCE);
  return undefined;
}

/** Hear the lines of a deployment's log, each once and in order; `last` tells the number of the newest one known. */
export function followLines(deployment, last, take) {
  listeners.lines.push({ deployment, last, take });
  if (state.socket?.readyState === WebSocket.OPEN) subscribe();
}

/** Whether events come by the socket at present. */
export const isConnected = () => state.socket?.readyState === WebSocket.OPEN;

function say(text) {
  if (!sign) return;
  sign.textContent = text;
  sign.hidden = !text;
}

function subscribe() {
  const logSince = Object.fromEntries(listeners.lines.map(({ deployment, last }) => [deployment, last()]));
  const call = { action: "subscribe", rooms: state.rooms, log_since: logSince };
  if (state.since !== null) call.since = state.since;
  state.socket.send(JSON.stringify(call));
}

function connect() {
  if (state.socket && state.socket.readyState <= WebSocket.OPEN) return;
  clearTimeout(state.timer);
  const url = new URL("/api/v1/ws", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  state.socket = socket;
  state.timer = setTimeout(() => lose(socket), PATIENCE);
  socket.onopen = () => {
    clearTimeout(state.timer);
    const wasAway = state.failures > 0;
    state.failures = 0;
    state.isPolling = false;
    say("");
    subscribe();
    if (wasAway) changed();
  };
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  socket.onclose = ({ code }) => (code === 4401 && state.socket === socket ? location.reload() : lose(socket));
}

/** Give a connection up, and try again: a dead one would tell of its end only minutes later. */
function lose(socket) {
  if (state.socket !== socket) return;
  clearTimeout(state.timer);
  state.socket = null;
  socket.close();
  state.failures += 1;
  say(state.failures > 2 ? "Reconnecting… renewing every 5 s" : "Reconnecting…");
  const wait = Math.min(500 * 2 ** (state.failures - 1), SLOWEST) * (0.75 + Math.random() / 2);
  state.timer = setTimeout(connect, wait);
  if (state.failures > 2) poll();
}

function hear(message) {
  state.heard += 1;
  if (message.type === "subscribed") {
    if (state.since === null) state.since = message.sequence;
    return;
  }
  if (message.type === "refused") return;
  state.since = Math.max(state.since ?? 0, message.sequence);
  const lines = message.data?.logs;
  if (!lines) return changed();
  for (const { deployment, take } of listeners.lines) if (deployment === message.deploymentId) take(lines);
}

function poll() {
  if (state.isPolling) return;
  state.isPolling = true;
  const look = async () => {
    if (!state.isPolling) return;
    if (document.visibilityState === "visible") await run();
    setTimeout(look, POLL);
  };
  look();
}

let isAsked = false;
let isRunning = false;

/** Many events at once renew the page once, and once more when some came meanwhile. */
function changed() {
  isAsked = true;
  if (!isRunning) run();
}

async function run() {
  isRunning = true;
  do {
    await new Promise((done) => { setTimeout(done, PAUSE); });
    isAsked = false;
    try {
      await state.change();
    } catch {
      // the next event, or the next connection, asks again
    }
  } while (isAsked);
  isRunning = false;
}
