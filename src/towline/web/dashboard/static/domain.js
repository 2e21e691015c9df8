// Setting the base domain: Towline starts again at another address, where this page goes once Towline answers there.
import { complaint, go, once, send } from "./page.js";

const PAUSE = 1000;
const LATE = 60_000;

/** Whether Towline answers at an address and is there, not on its way back; at this page's own, with the new domain. */
async function answersAt(url, domain) {
  const isHere = new URL(url).origin === location.origin;
  try {
    const answer = await fetch(isHere ? "/api/v1/platform" : new URL("/readyz", url), {
      cache: "no-store", signal: AbortSignal.timeout(5000),
    });
    if (!answer.ok) return false;
    const told = await answer.json();
    return isHere ? told.base_domain === domain : told.host === new URL(url).hostname;
  } catch {
    return false;
  }
}

async function move(form, url) {
  document.body.dataset.moving = "";
  document.getElementById("moving").hidden = false;
  const begun = Date.now();
  while (!(await answersAt(url, form.dataset.domain))) {
    if (Date.now() - begun > LATE) document.getElementById("late").hidden = false;
    await new Promise((done) => { setTimeout(done, PAUSE); });
  }
  await go(new URL("/", url));
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!("domain" in form.dataset)) return;
  event.preventDefault();
  once(form, event.submitter, async () => {
    complaint(form, "");
    try {
      const to = await send(form, new FormData(form));
      if (to) await (to.startsWith("/") ? go(to) : move(form, to));
    } catch (error) {
      complaint(form, error instanceof TypeError ? "Towline does not answer. Try again." : error.message, error.field);
    }
  });
}, { capture: true });
