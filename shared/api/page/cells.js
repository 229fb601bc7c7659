// A cell shows one value and can be updated: {node, update(value)}.

function textCell(tag = "span", attributes = {}) {
  const node = el(tag, attributes);
  return { node, update: (value) => putVisible(node, value) };
}

function timeCell() {
  const exact = el("time"),
    ago = el("span", { class: "ago" });
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

/** Updates all relative times. */
function renewTimes() {
  for (const exact of document.querySelectorAll(".moment > time[datetime]")) {
    put(exact.parentNode.lastChild, relativeTime(exact.getAttribute("datetime"), appNow()));
  }
}

/** An id, linked if there is a target, and a button that copies it. `value` is `{id, href}` or the id. */
function idCell() {
  const link = el("a", { class: "mono" }),
    plain = el("span", { class: "mono" });
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

/** An error in the API's words: code, message, and a line for each field at fault. */
function errorCell() {
  const code = el("strong"),
    message = el("span"),
    values = el("ul", { class: "errors" });
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
        const name = el("span", { class: "error-key" }),
          text = el("span");
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

/** A list of facts, `[label, kind, value]`; a fact without a value is hidden. */
function factsView() {
  const node = el("dl"),
    rows = new Map();
  return {
    node,
    update(facts) {
      for (const [label, kind, value] of facts) {
        if (!rows.has(label)) {
          const cell = CELLS[kind](),
            name = el("dt", {}, label),
            body = el("dd", {}, cell.node);
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
