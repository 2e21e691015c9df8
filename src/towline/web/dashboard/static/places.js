// What the palette finds: pages of projects, services and the platform, deployments, and what can be done at once.

const AT_FIRST = 50;
const DEPLOYMENTS = 100;
const LONGEST = 80;
const OF_PROJECT = ["previews", "hooks", "variables", "backups", "catalogue", "groups", "members", "notifications", "connections", "registries", "file", "audit", "settings"];
const MANAGE = ["admin", "owner"];
const DEPLOY = ["developer", ...MANAGE];
const NEEDS = { hooks: DEPLOY, variables: DEPLOY, notifications: MANAGE, connections: MANAGE, registries: MANAGE, file: MANAGE, audit: MANAGE };
const OF_SERVICE = ["deployments", "releases", "runs", "log", "variables", "variables/compare", "variables/file", "domains", "settings"];
const OF_INSTANCE = ["domain", "users", "providers", "variables", "connections", "registries", "notifications", "mail", "secrets", "audit"];
const WORDS = { hooks: "repositories", connections: "git platforms", file: "project file", catalogue: "templates", groups: "deployed together", providers: "sign-in", secrets: "sealed secrets", "variables/compare": "compare variables", "variables/file": "import and export variables" };
// What stands for a page or for something to do is not searched for among services, unless it is all there is.
const COMMON = new Set([
  ...[...OF_PROJECT, ...OF_SERVICE, ...Object.values(WORDS)].flatMap((words) => words.split(/[ /]/)),
  ..."deploy restart roll back scale stop start run now cancel new all of in to together invite somebody".split(" "),
]);
const FEWEST = 2;
const FINAL = ["success", "failed", "cancelled", "superseded"];
const word = (page) => WORDS[page] ?? page;

/** Everything known so far, by what it does. */
export const places = new Map();
const projects = new Map();
const asked = new Set();

// The longer name of a page is the one that says whose it is: a tab says "Log", the list "shop / web / log".
function add(href, given) {
  const text = given.replace(/\s+/g, " ").trim();
  if (text.length > (places.get(href)?.text.length ?? 0)) places.set(href, { href, text });
}

/** Something to do: a form's address and fields. */
function addAct(text, action, fields = {}) {
  places.set(text, { text, action, fields });
}

const read = async (path) => {
  const answer = await fetch(`/api/v1${path}`, { cache: "no-store" });
  return answer.ok ? (await answer.json()).items : [];
};

/** Each path once, however often it is wanted. */
async function once(path, take) {
  if (asked.has(path)) return;
  asked.add(path);
  try {
    for (const item of await read(path)) take(item);
  } catch {
    asked.delete(path);
  }
}

/** Whether a page of a service has something for whoever has this role. */
function isOf({ type }, role, page) {
  if (page === "runs" || page === "domains") return type === (page === "runs" ? "cron" : "web");
  return DEPLOY.includes(role) || !page.startsWith("variables");
}

function addProject({ name, role }) {
  projects.set(name, role);
  const base = `/projects/${name}`;
  add(base, name);
  for (const page of OF_PROJECT) if (!(page in NEEDS) || NEEDS[page].includes(role)) add(`${base}/${page}`, `${name} / ${word(page)}`);
  if (DEPLOY.includes(role)) {
    addAct(`Deploy all of ${name} together`, `${base}/deploy`);
    add(`${base}/previews#new`, `New preview of ${name}`);
  }
  if (MANAGE.includes(role)) {
    add(`${base}#new`, `New service in ${name}`);
    add(`${base}/members#invite`, `Invite somebody to ${name}`);
  }
}

function addService(project, service) {
  const role = projects.get(project);
  const base = `/projects/${project}/services/${service.name}`;
  const named = `${project} / ${service.name}`;
  add(base, named);
  for (const page of OF_SERVICE) if (isOf(service, role, page)) add(`${base}/${page}`, `${named} / ${word(page)}`);
  if (!DEPLOY.includes(role)) return;
  add(`${base}/deploy`, `Deploy ${named}`);
  add(`${base}/releases#main`, `Roll back ${named}`);
  if (service.type === "cron") addAct(`Run ${named} now`, `${base}/run`);
  else {
    addAct(`Restart ${named}`, `${base}/act`, { wanted: "restart" });
    add(`${base}#controls-part`, `Scale, stop or start ${named}`);
  }
}

function addDeployment(found) {
  const where = found.environment === "production" ? "" : ` in ${found.environment}`;
  const said = (found.message || found.ref.replace(/^sha256:.*/, "upload")).slice(0, LONGEST);
  const named = `${found.project} / ${found.service} #${found.number}`;
  add(`/deployments/${found.id}`, `${named}${where} ${said} ${found.revision.replace("sha256:", "").slice(0, 12)}`);
  if (!FINAL.includes(found.status) && DEPLOY.includes(projects.get(found.project))) addAct(`Cancel ${named}${where}`, `/deployments/${found.id}/cancel`);
}

const gatherServices = (project) => once(`/projects/${project}/services?limit=200`, (service) => addService(project, service));

/** The links of this page at once; then every project, services of the first ones, and the newest deployments. */
export async function gather(show) {
  places.clear();
  asked.clear();
  for (const link of document.querySelectorAll(".tabs a, .menu nav a")) add(link.getAttribute("href"), link.textContent);
  if (document.querySelector('.menu nav a[href="/instance"]')) for (const page of OF_INSTANCE) add(`/instance/${page}`, `Platform / ${word(page)}`);
  add("/#new", "New project");
  show();
  await once("/projects?limit=200", addProject);
  show();
  await Promise.all([...projects.keys()].slice(0, AT_FIRST).map(gatherServices));
  await once(`/deployments?limit=${DEPLOYMENTS}`, addDeployment);
  show();
}

function addFound({ project, role, ...service }) {
  if (!projects.has(project)) addProject({ name: project, role });
  addService(project, service);
}

/** Services of all projects, searched for by the server. */
async function searchServices(words) {
  const names = words.filter((word) => !COMMON.has(word));
  const text = (names.length ? names : words).join(" ");
  if (text.length >= FEWEST) await once(`/services?limit=${AT_FIRST}&text=${encodeURIComponent(text)}`, addFound);
}

/** What only the words that were typed lead to: services of further projects, and older deployments of a service. */
export async function gatherFor(words) {
  const others = words.filter((one) => !/^#\d+$/.test(one));
  await searchServices(others);
  await Promise.all([...projects.keys()].filter((name) => words.includes(name)).map(gatherServices));
  if (others.length < words.length) {
    const known = [...places.values()].find(({ text }) => text.toLowerCase() === others.join(" / "));
    const [, , project, , service] = known?.href?.split("/") ?? [];
    if (service) await once(`/deployments?project=${project}&service=${service}&limit=200`, addDeployment);
  }
}
