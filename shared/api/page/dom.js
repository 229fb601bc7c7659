// Elements are created only here: data becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

/** Creates an element with attributes and children. `on` holds listeners; a string child becomes a text node. */
function el(tag, attributes = {}, ...children) {
  const node = ["svg", "path"].includes(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Sets an element's text in place, so that a selection in it survives. */
function put(node, text) {
  const wanted = String(text);
  if (node.textContent === wanted) return;
  const only = node.childNodes.length === 1 && node.firstChild.nodeType === Node.TEXT_NODE ? node.firstChild : null;
  if (!only) {
    node.textContent = wanted;
    return;
  }
  const marked = document.getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = marked;
  only.data = wanted;
  if (anchorNode === only || focusNode === only) {
    const within = (place, offset) => (place === only ? Math.min(offset, wanted.length) : offset);
    marked.setBaseAndExtent(anchorNode, within(anchorNode, anchorOffset), focusNode, within(focusNode, focusOffset));
  }
}

const shownTexts = new WeakMap();

/** Shows untrusted text: invisible characters appear as their codes. */
function putVisible(node, text) {
  const wanted = String(text ?? "");
  if (shownTexts.get(node) === wanted) return;
  shownTexts.set(node, wanted);
  const pieces = visiblePieces(wanted);
  if (!pieces.some((piece) => piece.isUnseen)) put(node, wanted);
  else
    node.replaceChildren(
      ...pieces.map((piece) => (piece.isUnseen ? el("span", { class: "control" }, piece.text) : piece.text)),
    );
}

function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Sets an attribute if it differs. */
function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/**
 * Keeps one view for each item of a list; `make(item)` returns {node, update}. Existing views stay where they are, new
 * ones are appended, and a view whose item is gone gets `update(null)`. Nothing moves under the pointer; focus stays.
 */
function keptList(parent, keyOf, make) {
  const views = new Map();
  return {
    views,
    update(items) {
      const seen = new Set();
      for (const item of items) {
        const key = keyOf(item);
        seen.add(key);
        if (!views.has(key)) {
          views.set(key, make(item));
          parent.append(views.get(key).node);
        }
        views.get(key).update(item);
      }
      for (const [key, view] of views) if (!seen.has(key)) view.update(null);
    },
  };
}

/** A table in a box that scrolls separately from the page. */
function tableBox(label, columns) {
  const body = el("tbody");
  const heads = columns.map((name) =>
    el("th", { scope: "col", class: name.endsWith("#") ? "number" : null }, name.replace("#", "")),
  );
  const box = el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": `${label}, table` },
    el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body),
  );
  return { box, body };
}

/** Wraps an async function: a call made while another is running gets the running one's promise. */
function oneAtATime(act) {
  let running = null;
  return () =>
    (running ??= act().finally(() => {
      running = null;
    }));
}

function field(label, input, hint = "") {
  const name = el(
    "label",
    { for: input.id },
    label,
    hint ? " " : "",
    hint ? el("span", { class: "hint" }, hint) : null,
  );
  return el("div", {}, name, input);
}

function checkField(id, label) {
  const input = el("input", { type: "checkbox", id });
  return { input, node: el("div", { class: "check" }, input, el("label", { for: id }, label)) };
}

/** A button that ignores clicks while its act is running, and the second click of a double click. */
function actButton(label, act, attributes = {}) {
  let isRunning = false;
  const node = el("button", { type: "button", ...attributes, on: { click: run } }, label);
  async function run(event) {
    if (isRunning || event.detail > 1) return;
    isRunning = true;
    node.setAttribute("aria-disabled", "true");
    try {
      await act(event);
    } finally {
      isRunning = false;
      node.removeAttribute("aria-disabled");
    }
  }
  return node;
}
