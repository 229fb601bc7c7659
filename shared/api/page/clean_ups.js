// Clean-ups, newest first, each with its progress.

const CLEAN_UP_STATES = ["waiting", "listing", "listed", "failed", "cancelled"];
const CLEAN_UPS_TOP = 20;
// Counting one clean-up's requests costs the app sixteen queries, so the list is refreshed less often than the rest.
const LIST_SECONDS = 15,
  MOST_WATCHED = 5;

function cleanUpRow(first) {
  const job = linkCell(),
    state = textCell(),
    bar = progressView(`Progress of ${first.jobId}`),
    open = el("span"),
    done = textCell(),
    id = idCell();
  const row = {
    item: first,
    node: el(
      "tr",
      {},
      el("th", { scope: "row", class: "cut" }, job.node),
      el("td", {}, state.node),
      el("td", {}, bar.node),
      el("td", { class: "number" }, open),
      el("td", {}, done.node),
      el("td", {}, id.node),
    ),
    update(document) {
      if (!document) return;
      row.item = document;
      const dryRun = document.dryRun ? "true" : "";
      job.update({ text: document.jobId, href: routeTo("find", { id: document.eventId, kind: "clean-up", dryRun }) });
      state.update(document.dryRun ? `${document.state} (dry run)` : document.state);
      bar.update(progressOf(document), document.open);
      put(open, number(document.open));
      done.update(outcomesText(document.done));
      id.update(document.eventId);
    },
  };
  row.update(first);
  return row;
}

function cleanUpKey(document) {
  return `${document.eventId}${document.dryRun ? "?dryRun" : ""}`;
}

function cleanUpsPart(params) {
  const state = el(
    "select",
    { id: "clean-ups-state" },
    el("option", { value: "" }, "any"),
    ...CLEAN_UP_STATES.map((name) => el("option", { value: name }, name)),
  );
  state.value = CLEAN_UP_STATES.includes(params.state) ? params.state : "";
  state.addEventListener("change", () => go(routeTo("clean-ups", { state: state.value })));
  const table = tableBox("Clean-ups", ["Job", "State", "Progress", "Open#", "Done", "Id"]);
  const path = (continuation) => `job-completions${query({ state: params.state, top: CLEAN_UPS_TOP, continuation })}`;
  const list = pagedList({
    body: table.body,
    box: table.box,
    path,
    keyOf: cleanUpKey,
    make: cleanUpRow,
    none: "There are no clean-ups.",
  });
  let looked = 0;
  async function refresh() {
    if (!list.isLoaded || performance.now() / 1000 - looked > LIST_SECONDS) {
      looked = performance.now() / 1000;
      return list.refresh();
    }
    const running = [...list.rows.values()].filter((row) => !progressOf(row.item).isOver).slice(0, MOST_WATCHED);
    await Promise.all(
      running.map(async (row) =>
        row.update(await call("GET", KINDS["clean-up"].path(row.item.eventId, row.item.dryRun ? "true" : undefined))),
      ),
    );
  }
  return {
    node: el(
      "section",
      { "aria-label": "Clean-ups" },
      el("h2", {}, "Clean-ups"),
      el("div", { class: "filters" }, field("State", state)),
      list.node,
    ),
    title: "Clean-ups",
    refresh,
  };
}
