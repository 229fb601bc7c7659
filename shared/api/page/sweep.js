// One sweep: how it goes and what each policy took.

function sweepView(_, changed) {
  const facts = factsView(),
    line = outcomeLine(),
    bar = progressView("Progress of the sweep"),
    title = el("h3", {}, "Sweep");
  const table = tableBox("What each policy took", ["Policy", "Jobs#", "Requested#", "Kept#"]),
    list = keptList(table.body, (one) => one.name, sweptRow);
  const samples = el("div");
  let shown = {},
    wasOver = null;
  const stop = cancelButton(
    "Stop the sweep",
    () => `Stop 1 sweep of ${shown.batchUrl}?`,
    () => KINDS.sweep.path(shown.sweepId),
    line,
    changed,
  );
  const copy = ticketButton(
    () => sweepPairs(shown),
    () => routeTo("find", { id: shown.sweepId, kind: "sweep" }),
  );
  const isOver = (document) => document.state !== "running" && !document.open;
  return {
    node: el(
      "article",
      { "aria-label": "Sweep" },
      title,
      bar.node,
      facts.node,
      table.box,
      samples,
      line.node,
      el("div", { class: "buttons" }, stop, copy),
    ),
    isOver,
    update(document) {
      shown = document;
      put(title, document.dryRun ? "Sweep (dry run: what would go now)" : "Sweep");
      const progress = progressOf(document),
        requested = progress.total;
      bar.update(
        document.dryRun ? { ...progress, done: requested, isOver: isOver(document) } : progress,
        document.open,
        document.dryRun ? "nothing is deleted" : "",
      );
      facts.update([
        ["State", "text", document.state],
        ["Id", "id", document.sweepId],
        ["Account", "text", document.batchUrl],
        ["Began", "time", document.startedAt],
        ["Ended", "time", document.endedAt],
        ["Jobs taken", "text", number(document.jobs)],
        [document.dryRun ? "Would go" : "Requested", "text", number(requested)],
        ["Jobs left alone", "text", outcomesText(document.leftAlone)],
        ["Open", "text", number(document.open)],
        ["Done", "text", outcomesText(document.done)],
        ["Error", "error", document.error],
      ]);
      list.update(document.policies);
      showSamples(samples, document.policies);
      show(stop, !isOver(document));
      if (wasOver === false && isOver(document)) say(`The sweep has ended: ${document.state}`);
      wasOver = isOver(document);
    },
  };
}

function sweptRow() {
  const name = textCell(),
    jobs = el("span"),
    requested = el("span"),
    kept = el("span");
  return {
    node: el(
      "tr",
      {},
      el("th", { scope: "row" }, name.node),
      ...[jobs, requested, kept].map((cell) => el("td", { class: "number" }, cell)),
    ),
    update(found) {
      if (!found) return;
      name.update(found.dryRun ? `${found.name} (dry run)` : found.name);
      put(jobs, number(found.jobs));
      put(requested, number(found.requested));
      put(kept, number(found.kept));
    },
  };
}

/** Some of the tasks that each policy takes; made once, for they change while the sweep goes on only by growing. */
function showSamples(place, policies) {
  const text = policies.filter((one) => one.sample?.length).map((one) => [one.name, one.sample]);
  const known = JSON.stringify(text);
  if (place.known === known) return;
  place.known = known;
  place.replaceChildren(
    ...text.map(([name, sample]) =>
      el(
        "details",
        {},
        el("summary", {}, `Some of them, by ${name}`),
        el("ul", { class: "mono" }, ...sample.map((task) => el("li", {}, escaped(task)))),
      ),
    ),
  );
}

function sweepPairs(document) {
  return [
    ["sweep", document.sweepId],
    ["account", document.batchUrl],
    ["state", document.state],
    ["dry run", document.dryRun ? "yes" : ""],
    ["began", exactTime(document.startedAt)],
    ["ended", document.endedAt && exactTime(document.endedAt)],
    ["jobs", document.jobs],
    ["left alone", outcomesText(document.leftAlone)],
    ...document.policies.map((one) => [`policy ${one.name}`, `${one.requested} requested, ${one.kept} kept`]),
    ["open", document.open],
    ["done", outcomesText(document.done)],
    ["reason", errorLine(document.error)],
  ];
}
