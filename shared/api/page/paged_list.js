/**
 * A list that the API returns page by page, newest first. A refresh reads the first page: known rows are updated in
 * place, and new ones are counted ("3 new") and added on request. Later pages are loaded on request too.
 * `make(item)` returns {node, update(item), gone()}.
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
  // The bar is as high with the button as without it, so nothing below moves when new rows are found.
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

  /** The next page that has rows, if any: a page can be empty without being the last. */
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
    showCounts();
  }

  function compare(page) {
    const isKnown = (item) => rows.has(keyOf(item)) || waiting.has(keyOf(item));
    // More rows were added since the last refresh than fit on a page, so some of them were never seen.
    if (page.continuation && (rows.size || waiting.size) && !page.value.some(isKnown)) hasHole = true;
    for (const item of page.value) {
      const key = keyOf(item);
      if (rows.has(key)) rows.get(key).update(item);
      else waiting.set(key, item);
    }
    noteGone(page);
  }

  /** A row that should be on the page but is missing has left the list. It stays in place, struck out. */
  function noteGone(page) {
    const present = new Set(page.value.map(keyOf));
    const listed = [...body.children].filter((node) => keys.has(node)).map((node) => keys.get(node));
    const last = page.continuation ? listed.findLastIndex((key) => present.has(key)) : listed.length;
    listed
      .slice(0, Math.max(0, last))
      .filter((key) => !present.has(key))
      .forEach((key) => rows.get(key).gone?.());
    for (const key of waiting.keys()) if (!present.has(key) && !page.continuation) waiting.delete(key);
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
      showCounts();
    }
    // The button had the focus and is now hidden.
    box.focus();
  }

  async function loadMore() {
    await attempt(line, async () => {
      fill(await filledPage(rest));
      showCounts();
    });
  }

  function showCounts() {
    put(fresh, hasHole ? `more than ${number(waiting.size)} new` : `${number(waiting.size)} new`);
    show(fresh, waiting.size > 0);
    put(shown, rows.size ? `${number(rows.size)} shown${rest ? ", more available" : ""}` : "");
    show(more, rest !== null);
    show(empty, rows.size === 0 && waiting.size === 0);
    show(box, rows.size > 0);
    changed();
  }

  return list;
}
