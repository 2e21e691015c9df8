// Makes one element like another, changing only what differs, so that focus, selection and scroll stay where they are.

const isKept = (element) => element.nodeType === 1 && "keep" in element.dataset;
const key = (node) => (node.nodeType === 1 ? node.id || node.getAttribute("action") || "" : "");
const isLike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b) && isKept(a) === isKept(b);

/** Make `old` like `fresh`. What is typed, chosen, open or marked `data-keep` is the reader's and stays. */
export function morph(old, fresh) {
  if (isKept(old) || old.isEqualNode(fresh)) return;
  attributes(old, fresh);
  if (old.matches("input, textarea, select")) return;
  children(old, fresh);
}

function attributes(old, fresh) {
  const own = new Set(old.tagName === "DETAILS" ? ["open"] : ["aria-busy"]);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !own.has(name)) old.removeAttribute(name);
}

function children(old, fresh) {
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = place;
    while (found && !isLike(found, wanted)) found = found.nextSibling;
    if (found && wanted.nodeType === 1 && !key(wanted) && found !== place && place?.contains(document.activeElement)) found = null;
    if (!found) {
      old.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    while (place !== found) {
      const gone = place;
      place = place.nextSibling;
      if (!isKept(gone)) gone.remove();
    }
    if (found.nodeType === 1) morph(found, wanted);
    else if (found.data !== wanted.data) found.data = wanted.data;
    place = found.nextSibling;
  }
  while (place) {
    const gone = place;
    place = place.nextSibling;
    if (!isKept(gone)) gone.remove();
  }
}
