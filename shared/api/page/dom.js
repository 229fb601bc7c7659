// Elements are made here and nowhere else: data becomes text nodes, never markup.

const SVG = "http://www.w3.org/2000/svg";
const byId = (id) => document.getElementById(id);

/** An element with attributes and children; `on` has its listeners; a text child becomes a text node. */
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

/** Sets the text of an element in place: what is marked in it stays marked. */
function put(node, text) {
  const wanted = String(text);
  if (node.textContent === wanted) return;
  const only = node.childNodes.length === 1 && node.firstChild.nodeType === Node.TEXT_NODE ? node.firstChild : null;
  if (!only) { node.textContent = wanted; return; }
  const marked = document.getSelection();
  const { anchorNode, anchorOffset, focusNode, focusOffset } = marked;
  only.data = wanted;
  if (anchorNode === only || focusNode === only) {
    const within = (place, offset) => (place === only ? Math.min(offset, wanted.length) : offset);
    marked.setBaseAndExtent(anchorNode, within(anchorNode, anchorOffset), focusNode, within(focusNode, focusOffset));
  }
}

const shownTexts = new WeakMap();

/** Text of strangers: what cannot be seen stands there by its code. */
function putVisible(node, text) {
  const wanted = String(text ?? "");
  if (shownTexts.get(node) === wanted) return;
  shownTexts.set(node, wanted);
  const pieces = visiblePieces(wanted);
  if (!pieces.some((piece) => piece.isUnseen)) put(node, wanted);
  else node.replaceChildren(...pieces.map((piece) => (piece.isUnseen ? el("span", { class: "control" }, piece.text) : piece.text)));
}

function show(node, isShown) {
  if (node.hidden === isShown) node.hidden = !isShown;
}

/** Sets an attribute when it differs. */
function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

// A cell shows one value and can be told another: {node, update(value)}.

function textCell(tag = "span", attributes = {}) {
  const node = el(tag, attributes);
  return { node, update: (value) => putVisible(node, value) };
}

function timeCell() {
  const exact = el("time"), ago = el("span", { class: "ago" });
  const node = el("span", { class: "moment" }, exact, " ", ago);
  return {
    node,
    update(value) {
      show(node, Boolean(value));
      if (!value) return;
      mark(exact, "datetime", value);
      put(exact, exactTime(value));
      put(ago, relativeTime(value, appNow()));
    },
  };
}

/** All relative times once more. */
function renewTimes() {
  for (const exact of document.querySelectorAll(".moment > time[datetime]")) {
    put(exact.parentNode.lastChild, relativeTime(exact.getAttribute("datetime"), appNow()));
  }
}

/** An id: a link where it leads somewhere, and a button that copies it. `value` is `{id, href}` or the id. */
function idCell() {
  const link = el("a", { class: "mono" }), plain = el("span", { class: "mono" });
  let id = "";
  const copy = el("button", { type: "button", class: "small", on: { click: () => copyText(id, "Id copied") } }, "Copy");
  const node = el("span", {}, link, plain, " ", copy);
  return {
    node,
    update(value) {
      id = value?.id ?? value ?? "";
      const href = value?.href;
      show(node, Boolean(id));
      show(link, Boolean(href));
      show(plain, !href);
      putVisible(href ? link : plain, id);
      if (href) mark(link, "href", href);
      mark(copy, "aria-label", `Copy the id ${escaped(id)}`);
    },
  };
}

/** A link: `value` is `{text, href}`. */
function linkCell() {
  const node = el("a");
  return {
    node,
    update(value) {
      show(node, Boolean(value));
      if (!value) return;
      putVisible(node, value.text);
      mark(node, "href", value.href);
    },
  };
}

/** An error as the API words it: code, message, and what each pointer points at. */
function errorCell() {
  const code = el("strong"), message = el("span"), values = el("ul", { class: "errors" });
  const node = el("div", {}, code, " ", message, values);
  let shown = "";
  return {
    node,
    update(error) {
      show(node, Boolean(error));
      if (!error || JSON.stringify(error) === shown) return;
      shown = JSON.stringify(error);
      putVisible(code, error.code ?? "");
      putVisible(message, error.message?.value ?? "");
      const lines = (error.values || []).map((one) => {
        const name = el("span", { class: "error-key" }), text = el("span");
        putVisible(name, one.key || "(whole body)");
        putVisible(text, one.value);
        return el("li", {}, name, ": ", text);
      });
      values.replaceChildren(...lines);
      show(values, lines.length > 0);
    },
  };
}

const CELLS = { text: textCell, time: timeCell, id: idCell, link: linkCell, error: errorCell };

/** A list of facts, `[label, kind, value]`; one without a value is not shown. */
function factsView() {
  const node = el("dl"), rows = new Map();
  return {
    node,
    update(facts) {
      for (const [label, kind, value] of facts) {
        if (!rows.has(label)) {
          const cell = CELLS[kind](), name = el("dt", {}, label), body = el("dd", {}, cell.node);
          rows.set(label, { cell, name, body });
          node.append(name, body);
        }
        const { cell, name, body } = rows.get(label);
        const isShown = value !== null && value !== undefined && value !== "";
        show(name, isShown);
        show(body, isShown);
        if (isShown) cell.update(value);
      }
    },
  };
}

/**
 * Keeps one view for each item of a list, `make(item)` giving {node, update}: old ones stay where they are, new ones come
 * last, and one whose item is gone is told null. So nothing moves under a pointer, and focus stays.
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

/** A table in a box that scrolls by itself. */
function tableBox(label, columns) {
  const body = el("tbody");
  const heads = columns.map((name) => el("th", { scope: "col", class: name.endsWith("#") ? "number" : null }, name.replace("#", "")));
  const box = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    el("table", {}, el("thead", {}, el("tr", {}, ...heads)), body));
  return { box, body };
}

/** The call that is under way, for whoever asks again before it has ended. */
function oneAtATime(act) {
  let running = null;
  return () => (running ??= act().finally(() => { running = null; }));
}

function field(label, input, hint = "") {
  const name = el("label", { for: input.id }, label, hint ? " " : "", hint ? el("span", { class: "hint" }, hint) : null);
  return el("div", {}, name, input);
}

function checkField(id, label) {
  const input = el("input", { type: "checkbox", id });
  return { input, node: el("div", { class: "check" }, input, el("label", { for: id }, label)) };
}

/** A button that does one thing at a time: a second click while it runs, or the second of a double click, does nothing. */
function actButton(label, act, attributes = {}) {
  let isRunning = false;
  const node = el("button", { type: "button", ...attributes, on: { click: run } }, label);
  async function run(event) {
    if (isRunning || event.detail > 1) return;
    isRunning = true;
    node.setAttribute("aria-disabled", "true");
    try { await act(event); } finally {
      isRunning = false;
      node.removeAttribute("aria-disabled");
    }
  }
  return node;
}
