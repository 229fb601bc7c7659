// Dead letters: the filter, the list, and the open letter.

const LETTERS_TOP = 50;
const OUTCOMES = ["conflict", "exhausted", "failed", "rejected"];
const LETTER_COLUMNS = ["Tick", "Letter", "First seen", "Reason", "Outcome", "Job and task", "Attempts#", "State"];

function letterRow(letter, { tick, isTicked, openHref, closeHref }) {
  const box = el("input", { type: "checkbox", on: { change: () => tick(letter.id, box.checked) } });
  const cells = {
    seen: timeCell(),
    reason: textCell(),
    outcome: textCell(),
    job: textCell(),
    task: textCell(),
    state: textCell(),
  };
  const attempts = el("span"),
    open = el("a");
  box.checked = isTicked(letter.id);
  let name = "";
  const row = {
    open,
    /** The row's link opens the letter, or closes it if it is open. */
    showOpen(isOpen) {
      put(open, isOpen ? "Close" : "Open");
      mark(open, "href", isOpen ? closeHref() : openHref(letter.id));
      mark(open, "aria-expanded", isOpen);
      mark(open, "aria-label", `${isOpen ? "Close" : "Open"} ${name}`);
    },
    node: el(
      "tr",
      {},
      el("td", {}, box),
      el("td", {}, open),
      el("td", {}, cells.seen.node),
      el("td", {}, cells.reason.node),
      el("td", {}, cells.outcome.node),
      el("td", { class: "cut" }, cells.job.node, letter.taskId ? " / " : "", cells.task.node),
      el("td", { class: "number" }, attempts),
      el("td", {}, cells.state.node),
    ),
    update(found) {
      cells.seen.update(found.firstSeenAt);
      cells.reason.update(found.reason);
      cells.outcome.update(found.dryRun ? `${found.outcome} (dry run)` : found.outcome);
      cells.job.update(found.jobId);
      cells.task.update(found.taskId);
      put(attempts, number(found.attempts));
      cells.state.update(stateOfLetter(found));
      name = `dead letter ${letterTitle(found)}`;
      mark(box, "aria-label", `Tick ${name}`);
      row.node.classList.remove("gone");
    },
    gone() {
      row.node.classList.add("gone");
      cells.state.update("settled or gone");
    },
  };
  row.update(letter);
  row.showOpen(false);
  return row;
}

function filterForm(params) {
  const inputs = {
    reason: el("input", { id: "filter-reason", type: "text", list: "reasons", autocomplete: "off" }),
    outcome: el(
      "select",
      { id: "filter-outcome" },
      el("option", { value: "" }, "any"),
      ...OUTCOMES.map((name) => el("option", { value: name }, name)),
    ),
    jobId: el("input", { id: "filter-job", type: "text", autocomplete: "off" }),
    queue: el("input", { id: "filter-queue", type: "text", list: "queues", autocomplete: "off" }),
    since: el("input", { id: "filter-since", type: "text", placeholder: "2026-11-24T08:00:00Z", autocomplete: "off" }),
    before: el("input", {
      id: "filter-before",
      type: "text",
      placeholder: "2026-11-25T08:00:00Z",
      autocomplete: "off",
    }),
  };
  const settled = checkField("filter-settled", "Settled letters only");
  for (const [name, input] of Object.entries(inputs)) input.value = params[name] || "";
  settled.input.checked = params.settled === "true";
  const known = (id, texts) => el("datalist", { id }, ...texts.map((text) => el("option", { value: text })));
  const submit = (event) => {
    event.preventDefault();
    const said = Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]);
    go(routeTo("dead-letters", { ...Object.fromEntries(said), settled: settled.input.checked ? "true" : "" }));
  };
  const { summary } = latest;
  const isOpen =
    Object.keys(filterOf(params)).length > 0 || params.settled === "true" || matchMedia("(min-width: 40rem)").matches;
  const form = el(
    "form",
    { "aria-label": "Filter dead letters", on: { submit } },
    el(
      "div",
      { class: "filters" },
      field("Reason", inputs.reason),
      field("Outcome", inputs.outcome),
      field("Job", inputs.jobId),
      field("Queue", inputs.queue),
      field("First seen since", inputs.since, "(UTC)"),
      field("First seen before", inputs.before, "(UTC)"),
      settled.node,
    ),
    known(
      "reasons",
      (summary?.deadLetters.byReason || []).map((one) => one.reason),
    ),
    known(
      "queues",
      (summary?.queues || []).filter((one) => isInput(one, summary.queues)).map((one) => one.name),
    ),
    el(
      "div",
      { class: "buttons" },
      el("button", { type: "submit", class: "main" }, "Show"),
      el("a", { href: routeTo("dead-letters") }, "Clear filter"),
    ),
  );
  return el("details", { open: isOpen }, el("summary", {}, "Filter"), form);
}

function deadLettersPart(params) {
  const filter = filterOf(params),
    ticks = new Set(),
    table = tableBox("Dead letters", LETTER_COLUMNS);
  const kept = { ...filter, settled: params.settled };
  const openHref = (id) => routeTo("dead-letters", { ...kept, id }),
    closeHref = () => routeTo("dead-letters", kept);
  const tick = (id, isOn) => {
    ticks[isOn ? "add" : "delete"](id);
    acts.update(ticks.size);
  };
  const path = (continuation) => `dead-letters${query({ ...kept, top: LETTERS_TOP, continuation })}`;
  const list = pagedList({
    body: table.body,
    box: table.box,
    path,
    keyOf: (letter) => letter.id,
    none: `No dead letters (${filterWords(filter)}).`,
    make: (letter) => letterRow(letter, { tick, isTicked: (id) => ticks.has(id), openHref, closeHref }),
    changed: () => opened.settle(),
  });
  const acts = letterActs({ filterNow: () => filter, ticked: () => ticks, changed: afterAct });
  const opened = openedLetter(list, closeHref);
  show(acts.node, params.settled !== "true");
  async function afterAct() {
    ticks.clear();
    for (const box of table.body.querySelectorAll("input[type=checkbox]")) box.checked = false;
    acts.update(0);
    await refreshNow();
  }
  return {
    node: el(
      "section",
      { "aria-label": "Dead letters" },
      el("h2", {}, "Dead letters"),
      filterForm(params),
      acts.node,
      opened.place,
      list.node,
    ),
    title: "Dead letters",
    async refresh() {
      await list.refresh();
      await opened.refresh();
    },
    /** Opening or closing a letter under the same filter leaves the list as it is. */
    takes(others) {
      if (JSON.stringify({ ...filterOf(others), settled: others.settled }) !== JSON.stringify(kept)) return false;
      opened.open(others.id);
      return true;
    },
    start: () => opened.open(params.id),
  };
}

/** The open letter: below its row if that is loaded, else above the list. */
function openedLetter(list, closeHref) {
  const place = el("div"),
    line = outcomeLine();
  const holder = el("tr", { class: "opened" }, el("td", { colspan: String(LETTER_COLUMNS.length) }));
  let id = null,
    view = null;
  place.append(line.node);
  function settle() {
    if (!view) return;
    const row = list.rows.get(id);
    if (!row) {
      if (!view.node.isConnected) place.append(view.node);
      return;
    }
    row.showOpen(true);
    if (view.node.parentNode === place || !holder.isConnected) {
      holder.firstChild.append(view.node);
      row.node.after(holder);
    }
  }
  function close() {
    const row = list.rows.get(id);
    row?.showOpen(false);
    if (row && holder.contains(document.activeElement)) row.open.focus();
    holder.remove();
    view?.node.remove();
    line.clear();
    id = view = null;
  }
  async function open(wanted) {
    if ((wanted || null) === id) return;
    close();
    if (!wanted) return;
    id = wanted;
    const letter = await attempt(line, () => call("GET", `dead-letters/${encodeURIComponent(wanted)}`));
    if (!letter || id !== wanted) return;
    view = letterView((found) => list.rows.get(found.id)?.update(found), closeHref);
    view.update(letter);
    settle();
  }
  async function refresh() {
    if (!view) return;
    const asked = id,
      letter = await call("GET", `dead-letters/${asked}`);
    if (view && id === asked) view.update(letter);
  }
  return { place, open, settle, refresh };
}
