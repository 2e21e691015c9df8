// What the sign-in page and the page of the account's security need of the browser: passkeys, and calls of the API.
// Elements say what they are for by data attributes; nothing here runs by itself or loads anything else.

const API = "/api/v1";

class Refused extends Error {}

/** One call of the API by this page: the JSON of its answer, or null without one. */
async function call(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(API + path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  const text = await answer.text();
  const content = text ? JSON.parse(text) : null;
  if (!answer.ok) throw new Refused([content?.detail, content?.hint].filter(Boolean).join(" ") || answer.statusText);
  return content;
}

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));

const toText = (buffer) =>
  btoa(Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join(""))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

const described = (list) => list.map((known) => ({ ...known, id: toBytes(known.id) }));

/** Make a passkey: its registration as the API takes it. */
export async function createPasskey(options) {
  const made = await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      user: { ...options.user, id: toBytes(options.user.id) },
      excludeCredentials: described(options.excludeCredentials),
    },
  });
  return {
    id: made.id,
    rawId: toText(made.rawId),
    type: made.type,
    response: {
      clientDataJSON: toText(made.response.clientDataJSON),
      attestationObject: toText(made.response.attestationObject),
      transports: made.response.getTransports?.() ?? [],
    },
  };
}

/** Prove a passkey: its proof as the API takes it. */
export async function provePasskey(options) {
  const proof = await navigator.credentials.get({
    publicKey: {
      ...options,
      challenge: toBytes(options.challenge),
      allowCredentials: described(options.allowCredentials),
    },
  });
  const handle = proof.response.userHandle;
  return {
    id: proof.id,
    rawId: toText(proof.rawId),
    type: proof.type,
    response: {
      clientDataJSON: toText(proof.response.clientDataJSON),
      authenticatorData: toText(proof.response.authenticatorData),
      signature: toText(proof.response.signature),
      userHandle: handle ? toText(handle) : null,
    },
  };
}

/** Sign in by a passkey alone, or by one as the second factor that a ticket waits for. */
export async function signInByPasskey(ticket = "") {
  const begun = await call("POST", "/sign-in/passkey/begin", ticket ? { ticket } : {});
  const credential = await provePasskey(begun.options);
  if (ticket) return call("POST", "/sign-in/second-factor", { ticket, credential });
  return call("POST", "/sign-in/passkey", { ticket: begun.ticket, credential });
}

const ACTIONS = {
  async "sign-in-by-passkey"(element) {
    await signInByPasskey(element.dataset.ticket);
    location.assign(element.dataset.next || "/");
  },
  async "confirm-password"(form) {
    await call("POST", "/session/confirm", { password: new FormData(form).get("password") });
    location.reload();
  },
  async "add-passkey"(form) {
    const begun = await call("POST", "/account/passkeys/begin");
    const credential = await createPasskey(begun.options);
    const name = new FormData(form).get("name") || "Passkey";
    const made = await call("POST", "/account/passkeys", { ticket: begun.ticket, credential, name });
    showCodesOrReload(made.recovery_codes);
  },
  async "rename-passkey"(form) {
    await call("PATCH", `/account/passkeys/${form.dataset.passkey}`, { name: new FormData(form).get("name") });
    location.reload();
  },
  async "delete-passkey"(element) {
    await call("DELETE", `/account/passkeys/${element.dataset.passkey}`);
    location.reload();
  },
  async "begin-totp"(element) {
    const setup = await call("POST", "/account/totp");
    const place = document.querySelector("[data-totp-setup]");
    place.querySelector("img").src = `data:image/svg+xml;base64,${btoa(setup.qr_svg)}`;
    place.querySelector("[data-secret]").textContent = setup.secret.match(/.{4}/g).join(" ");
    place.hidden = false;
    element.hidden = true;
    place.querySelector("input").focus();
  },
  async "confirm-totp"(form) {
    const turnedOn = await call("POST", "/account/totp/confirm", { code: new FormData(form).get("code") });
    showCodesOrReload(turnedOn.recovery_codes);
  },
  async "delete-totp"() {
    await call("DELETE", "/account/totp");
    location.reload();
  },
  async "create-codes"() {
    showCodesOrReload((await call("POST", "/account/recovery-codes")).recovery_codes);
  },
  async "reload"() {
    location.reload();
  },
};

/** Recovery codes are shown once, so the page stays until they were kept. */
function showCodesOrReload(codes) {
  if (!codes.length) return location.reload();
  const place = document.querySelector("[data-codes]");
  place.querySelector("pre").textContent = codes.join("\n");
  place.hidden = false;
  place.scrollIntoView();
}

function explain(error) {
  if (error.name === "NotAllowedError") return "The browser was not given a passkey, or waited too long. Try again.";
  if (error.name === "InvalidStateError") return "This device holds a passkey for this account already.";
  if (error.name === "SecurityError") return "Browsers allow passkeys on https and on localhost only.";
  return error instanceof Refused ? error.message : `That failed: ${error.message}`;
}

async function act(event) {
  const element = event.target.closest("[data-action]");
  const isForm = element instanceof HTMLFormElement;
  if (!element || isForm !== (event.type === "submit") || !(element.dataset.action in ACTIONS)) return;
  event.preventDefault();
  const problem = document.querySelector("[data-problem]");
  if (problem) problem.textContent = "";
  const button = isForm ? element.querySelector("button") : element;
  if (button.getAttribute("aria-busy")) return;
  button.setAttribute("aria-busy", "true");
  try {
    await ACTIONS[element.dataset.action](element);
  } catch (error) {
    if (problem) problem.textContent = explain(error);
  } finally {
    button.removeAttribute("aria-busy");
  }
}

document.addEventListener("click", act);
document.addEventListener("submit", act);
for (const element of document.querySelectorAll("[data-needs-passkeys]")) {
  element.hidden = !window.PublicKeyCredential;
}
for (const element of document.querySelectorAll("[data-needs-scripts]")) element.hidden = false;
