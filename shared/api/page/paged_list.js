/**
 * A list that the API gives page by page, newest first. A refresh looks at the first page: rows that are there change in
 * place, new ones are counted ("3 new") and come when asked for, and the rest comes page by page.
 * `make(item)` gives {node, update(item), gone()}.
 */
function pagedList({ body, box, path, keyOf, make, none, changed = () => {} }) {
  const rows = new Map(),
    waiting = new Map(),
    keys = new WeakMap();
  const fresh = actButton("", takeWaiting, { hidden: true }),
    more = actButton("Load more", loadMore, { hidden: true });
  const empty = el("p", { class: "note", hidden: true }, none),
    line = outcomeLine();
  const shown = el("span", { class: "hint" });
  // Its height is the same with and without the button: nothing below it moves when new rows are there.
  const list = {
    node: el(
      "div",
      {},
      line.node,
      el("div", { class: "list-bar" }, shown, fresh),
      empty,
      box,
      el("div", { class: "buttons" }, more),
    ),
    rows,
    refresh: oneAtATime(refresh),
    isLoaded: false,
  };
  let rest = null,
    hasHole = false;
  show(box, false);

  function add(item, isFirst = false) {
    const key = keyOf(item);
    if (rows.has(key)) return;
    const row = make(item);
    rows.set(key, row);
    keys.set(row.node, key);
    body[isFirst ? "prepend" : "append"](row.node);
  }

  /** A page with something on it, if there is any: one may be empty and not the last. */
  async function filledPage(continuation) {
    let page = await call("GET", path(continuation));
    while (!page.value.length && page.continuation) page = await call("GET", path(page.continuation));
    return page;
  }

  function fill(page) {
    page.value.forEach((item) => add(item));
    rest = page.continuation;
    list.isLoaded = true;
  }

  async function refresh() {
    const page = await filledPage();
    if (list.isLoaded) compare(page);
    else fill(page);
    tell();
  }

  function compare(page) {
    const isKnown = (item) => rows.has(keyOf(item)) || waiting.has(keyOf(item));
    // More came between two looks than a page holds: those between are not known one by one.
    if (page.continuation && (rows.size || waiting.size) && !page.value.some(isKnown)) hasHole = true;
    for (const item of page.value) {
      const key = keyOf(item);
      if (rows.has(key)) rows.get(key).update(item);
      else waiting.set(key, item);
    }
    noteGone(page);
  }

  /** A row that should be on the page and is not has left the list; it stays where it is, struck out. */
  function noteGone(page) {
    const told = new Set(page.value.map(keyOf));
    const listed = [...body.children].filter((node) => keys.has(node)).map((node) => keys.get(node));
    const last = page.continuation ? listed.findLastIndex((key) => told.has(key)) : listed.length;
    listed
      .slice(0, Math.max(0, last))
      .filter((key) => !told.has(key))
      .forEach((key) => rows.get(key).gone?.());
    for (const key of waiting.keys()) if (!told.has(key) && !page.continuation) waiting.delete(key);
  }

  async function takeWaiting() {
    if (hasHole) {
      [...body.children].forEach((node) => node.remove());
      rows.clear();
      list.isLoaded = hasHole = false;
      waiting.clear();
      await attempt(line, refresh);
    } else {
      for (const item of [...waiting.values()].reverse()) add(item, true);
      waiting.clear();
      tell();
    }
    // The button went away under the focus that it had.
    box.focus();
  }

  async function loadMore() {
    await attempt(line, async () => {
      fill(await filledPage(rest));
      tell();
    });
  }

  function tell() {
    put(fresh, hasHole ? `more than ${number(waiting.size)} new` : `${number(waiting.size)} new`);
    show(fresh, waiting.size > 0);
    put(shown, rows.size ? `${number(rows.size)} shown${rest ? ", there are more" : ""}` : "");
    show(more, rest !== null);
    show(empty, rows.size === 0 && waiting.size === 0);
    show(box, rows.size > 0);
    changed();
  }

  return list;
}
