// Uploads from the page: an archive is hashed, sent in pieces that can be resumed, then deployed.
import { Sha256 } from "./sha256.js";
import { complaint, go, once, send } from "./page.js";

const API = "/api/v1";
const PIECE = 4 * 1024 * 1024;
const WHOLE = 256 * 1024 * 1024;

async function call(method, path, body, headers = {}) {
  const answer = await fetch(API + path, { method, body, headers, cache: "no-store" });
  const content = await answer.json().catch(() => { throw new TypeError("no answer"); });
  if (!answer.ok) throw new Error([content.detail, content.hint].filter(Boolean).join(" "));
  return content;
}

/** By the browser's own where it has one (https, localhost) and the file is small enough to be held whole. */
async function digestOf(file, tell) {
  if (window.crypto?.subtle && file.size <= WHOLE) {
    const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    return `sha256:${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  }
  const hash = new Sha256();
  for (let start = 0; start < file.size; start += PIECE) {
    hash.update(new Uint8Array(await file.slice(start, start + PIECE).arrayBuffer()));
    tell("Checking", start / file.size);
  }
  return `sha256:${hash.hex()}`;
}

/** Send a file to a project; its digest. What is there already is not sent again. */
async function upload(project, file, tell) {
  const digest = await digestOf(file, tell);
  const json = { "Content-Type": "application/json" };
  const path = `/projects/${encodeURIComponent(project)}/uploads`;
  let state = await call("POST", path, JSON.stringify({ digest, size: file.size }), json);
  while (!state.is_complete) {
    const headers = { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(state.offset) };
    state = await call("PATCH", `${path}/${digest}`, file.slice(state.offset, state.offset + PIECE), headers);
    tell("Sent", state.offset / file.size);
  }
  return digest;
}

let made = { of: "", to: "" };

/** Where the files of a new service go; it is made once, however often its upload breaks off. */
async function create(form) {
  const of = [form.action, form.elements.project?.value, form.elements.service.value].join(" ");
  if (made.of !== of) made = { of, to: await send(form, new FormData(form)) };
  return made.to;
}

for (const drop of document.querySelectorAll("[data-drop]")) {
  const input = drop.querySelector("input");
  for (const name of ["dragover", "dragenter"]) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files.length) input.files = event.dataTransfer.files;
  });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  const isNew = "create" in form.dataset;
  const wantsUpload = isNew ? form.elements.source.value === "upload" : "upload" in form.dataset;
  if (!wantsUpload) return;
  event.preventDefault();
  const bar = form.querySelector("progress");
  const words = form.querySelector("[data-sent]");
  const tell = (word, share) => { bar.value = share * 100; words.textContent = `${word}: ${Math.floor(share * 100)} %`; };
  await once(form, event.submitter, async () => {
    complaint(form, "");
    try {
      const [file] = form.querySelector("[data-drop] input").files;
      if (!file) throw new Error("Choose an archive first, or drop one.");
      bar.hidden = words.hidden = false;
      tell("Checking", 0);
      const target = isNew ? new URL(await create(form), location.href) : new URL(form.action);
      const project = decodeURIComponent(target.pathname.split("/")[2]);
      const digest = await upload(project, file, tell);
      const environment = form.elements.environment?.value ?? "production";
      await go(await send({ action: target.pathname }, { environment, upload: digest }));
    } catch (error) {
      complaint(form, error instanceof TypeError ? "Towline does not answer. Try again: what was sent is there." : error.message, error.field);
      bar.hidden = words.hidden = true;
    }
  });
}, { capture: true });
