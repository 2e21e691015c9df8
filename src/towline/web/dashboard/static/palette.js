// The command palette: every page one may go to, found by typing; what it lists is read when it is opened.

const MOST = 30;
const OF_PROJECT = ["previews", "hooks", "variables", "backups", "catalogue", "groups", "members", "notifications", "connections", "registries", "file", "audit", "settings"];
const MANAGE = ["admin", "owner"];
const DEPLOY = ["developer", ...MANAGE];
const NEEDS = { hooks: DEPLOY, variables: DEPLOY, notifications: MANAGE, connections: MANAGE, registries: MANAGE, file: MANAGE, audit: MANAGE };
const OF_SERVICE = ["deploy", "deployments", "releases", "runs", "log", "variables", "variables/compare", "variables/file", "domains", "settings"];
const OF_INSTANCE = ["users", "providers", "variables", "connections", "registries", "notifications", "mail", "secrets", "audit"];
const WORDS = { hooks: "repositories", connections: "git platforms", file: "project file", catalogue: "templates", groups: "deployed together", providers: "sign-in", secrets: "sealed secrets", "variables/compare": "compare variables", "variables/file": "import and export variables" };
const word = (page) => WORDS[page] ?? page;
const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-label", "Go to");
dialog.innerHTML = '<input type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-label="Go to a project, service or page" autocomplete="off" spellcheck="false"><ul role="listbox" id="palette-list" aria-label="Pages"></ul><p class="hint" role="status"></p>';
document.body.append(dialog);
const input = dialog.querySelector("input");
const list = dialog.querySelector("ul");
const told = dialog.querySelector("p");
let places = [];
let chosen = 0;

const read = async (path) => {
  const answer = await fetch(`/api/v1${path}`, { cache: "no-store" });
  return answer.ok ? (await answer.json()).items : [];
};

/** Whether a page of a service has something for whoever has this role. */
function isOf({ type }, role, page) {
  if (page === "runs" || page === "domains") return type === (page === "runs" ? "cron" : "web");
  return DEPLOY.includes(role) || (page !== "deploy" && !page.startsWith("variables"));
}

/** The links of this page first, then every project and its services. */
async function gather() {
  const known = new Map();
  // The longer name of a page is the one that says whose it is: a tab says "Log", the list "shop / web / log".
  const add = (href, given) => {
    const text = given.replace(/\s+/g, " ").trim();
    if (text.length > (known.get(href)?.text.length ?? 0)) known.set(href, { href, text });
  };
  for (const link of document.querySelectorAll(".tabs a, .menu nav a")) add(link.getAttribute("href"), link.textContent);
  if (document.querySelector('.menu nav a[href="/instance"]')) for (const page of OF_INSTANCE) add(`/instance/${page}`, `Platform / ${word(page)}`);
  places = [...known.values()];
  show();
  const projects = await read("/projects?limit=50");
  await Promise.all(projects.map(async ({ name, role }) => {
    add(`/projects/${name}`, name);
    for (const page of OF_PROJECT) if (!(page in NEEDS) || NEEDS[page].includes(role)) add(`/projects/${name}/${page}`, `${name} / ${word(page)}`);
    for (const service of await read(`/projects/${name}/services?limit=100`)) {
      const base = `/projects/${name}/services/${service.name}`;
      add(base, `${name} / ${service.name}`);
      for (const page of OF_SERVICE) if (isOf(service, role, page)) add(`${base}/${page}`, `${name} / ${service.name} / ${word(page)}`);
    }
  }));
  places = [...known.values()];
  show();
}

function matching() {
  const words = input.value.toLowerCase().split(/[\s/]+/).filter(Boolean);
  const found = places.filter(({ text }) => words.every((word) => text.toLowerCase().includes(word)));
  return found.sort((a, b) => a.text.length - b.text.length).slice(0, MOST);
}

function show() {
  const found = matching();
  chosen = Math.min(chosen, Math.max(found.length - 1, 0));
  list.replaceChildren(...found.map(({ href, text }, place) => {
    const item = document.createElement("li");
    item.id = `palette-${place}`;
    item.role = "option";
    item.ariaSelected = String(place === chosen);
    item.dataset.href = href;
    item.textContent = text;
    return item;
  }));
  input.setAttribute("aria-activedescendant", found.length ? `palette-${chosen}` : "");
  list.children[chosen]?.scrollIntoView({ block: "nearest" });
  told.textContent = found.length ? "" : "Nothing of that name.";
}

/** Open the palette. */
export function open() {
  if (document.querySelector("dialog[open]")) return;
  input.value = "";
  chosen = 0;
  dialog.showModal();
  gather();
}

input.addEventListener("input", () => { chosen = 0; show(); });
input.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step) {
    event.preventDefault();
    chosen = Math.max(0, Math.min(list.childElementCount - 1, chosen + step));
    show();
  } else if (event.key === "Enter" && list.children[chosen]) location.assign(list.children[chosen].dataset.href);
});
list.addEventListener("click", (event) => {
  const item = event.target.closest("li");
  if (item) location.assign(item.dataset.href);
});
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
