// The list of what keys do, in a dialog that is made when it is first asked for.

const KEYS = [
  [["Ctrl K", "/"], "Go to a project, service, page or deployment, or deploy, restart, invite …"],
  [["?"], "Show this list"],
  [["Tab", "Shift Tab"], "Next and previous control; the first one leads to the content"],
  [["Enter", "Space"], "Press what has the focus"],
  [["↑", "↓"], "Choose in a list"],
  [["Esc"], "Close a menu or a dialog"],
];
const dialog = document.createElement("dialog");
dialog.className = "palette";
dialog.setAttribute("aria-labelledby", "shortcuts-title");
dialog.innerHTML = '<h2 id="shortcuts-title">Keyboard shortcuts</h2><dl></dl><form method="dialog"><button autofocus>Close</button></form>';
for (const [keys, meaning] of KEYS) {
  const term = document.createElement("dt");
  for (const key of keys) term.append(Object.assign(document.createElement("kbd"), { textContent: key }), " ");
  dialog.querySelector("dl").append(term, Object.assign(document.createElement("dd"), { textContent: meaning }));
}
document.body.append(dialog);
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

/** Show the list. */
export function open() {
  if (!document.querySelector("dialog[open]")) dialog.showModal();
}
