// One sweep: its progress, and what each policy requested.

function sweepView(_, changed) {
  const facts = factsView(),
    line = outcomeLine(),
    bar = progressView("Progress of the sweep"),
    title = el("h3", {}, "Sweep");
  const table = tableBox("By policy", ["Policy", "Jobs#", "Requested#", "Kept#"]),
    list = keptList(table.body, (one) => one.name, sweptRow);
  const samples = el("div");
  let shown = {},
    wasOver = null;
  const cancel = cancelButton(
    "Cancel the sweep",
    () => `Cancel 1 sweep of ${shown.batchUrl}?`,
    "The app is cancelling the sweep. Requests that have begun will finish.",
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
      el("div", { class: "buttons" }, cancel, copy),
    ),
    isOver,
    update(document) {
      shown = document;
      put(title, document.dryRun ? "Sweep (dry run)" : "Sweep");
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
        ["Started", "time", document.startedAt],
        ["Ended", "time", document.endedAt],
        ["Jobs covered", "text", number(document.jobs)],
        [document.dryRun ? "Would delete" : "Requested", "text", number(requested)],
        ["Jobs skipped", "text", outcomesText(document.leftAlone)],
        ["Open", "text", number(document.open)],
        ["Done", "text", outcomesText(document.done)],
        ["Error", "error", document.error],
      ]);
      list.update(document.policies);
      showSamples(samples, document.policies);
      show(cancel, !isOver(document));
      if (wasOver === false && isOver(document)) say(`The sweep has finished: ${document.state}`);
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

/** A sample of the tasks that each policy selects; redrawn only when it has changed. */
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
        el("summary", {}, `Sample for ${name}`),
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
    ["started", exactTime(document.startedAt)],
    ["ended", document.endedAt && exactTime(document.endedAt)],
    ["jobs", document.jobs],
    ["skipped", outcomesText(document.leftAlone)],
    ...document.policies.map((one) => [`policy ${one.name}`, `${one.requested} requested, ${one.kept} kept`]),
    ["open", document.open],
    ["done", outcomesText(document.done)],
    ["reason", errorLine(document.error)],
  ];
}
