// The overview: health, queues with their plots, dead letters by reason, clean-ups, sweeps.

// Kept while the page is open, whichever part is shown.
const depths = new Map();

function noteDepths(summary) {
  const seconds = new Date(summary.at).getTime() / 1000;
  for (const queue of summary.queues) {
    const points = depths.get(queue.name) || [];
    if (!points.length || points[points.length - 1][0] < seconds)
      depths.set(queue.name, withPoint(points, [seconds, queue.depth]));
  }
}

const PLOT_WIDTH = 176,
  PLOT_HEIGHT = 35;

function plotCell() {
  const line = el("path"),
    node = el(
      "svg",
      { class: "plot", viewBox: `0 0 ${PLOT_WIDTH} ${PLOT_HEIGHT}`, role: "img", preserveAspectRatio: "none" },
      line,
    );
  return {
    node,
    update(name) {
      const points = depths.get(name) || [];
      if (!points.length) return;
      mark(line, "d", plotPath(points, PLOT_WIDTH, PLOT_HEIGHT));
      const most = Math.max(...points.map(([, depth]) => depth)),
        since = exactTime(new Date(points[0][0] * 1000).toISOString());
      mark(node, "aria-label", `Depth of ${name} since ${since}: now ${points[points.length - 1][1]}, at most ${most}`);
    },
  };
}

function queueRow(queue) {
  const isPoison = queue.name.endsWith("-poison"),
    letters = routeTo("dead-letters", { queue: queue.name.replace(/-poison$/, "") });
  const depth = isPoison ? el("a", { href: letters }) : el("span"),
    age = el("span"),
    plot = plotCell(),
    most = el("span", { class: "hint" });
  return {
    node: el(
      "tr",
      {},
      el("th", { scope: "row" }, queue.name),
      el("td", { class: "number" }, depth),
      el("td", {}, age),
      el("td", {}, plot.node, most),
    ),
    update(found) {
      if (!found) return;
      put(depth, number(found.depth));
      // The depth includes hidden messages: a queue without visible ones need not be empty.
      put(
        age,
        found.oldestAgeSeconds === null ? (found.depth ? "none visible" : "–") : duration(found.oldestAgeSeconds),
      );
      plot.update(found.name);
      put(most, `at most ${number(Math.max(0, ...(depths.get(found.name) || []).map(([, y]) => y)))}`);
    },
  };
}

function checkRow(check) {
  const text = textCell("span");
  return {
    node: el("tr", {}, el("th", { scope: "row" }, check.name), el("td", { class: "cut" }, text.node)),
    update: (found) => text.update(found ? found.text : "not reported"),
  };
}

function reasonRow(one) {
  const count = el("a", { href: routeTo("dead-letters", { reason: one.reason }) }),
    name = textCell();
  name.update(one.reason);
  return {
    node: el("tr", {}, el("th", { scope: "row" }, name.node), el("td", { class: "number" }, count)),
    update: (found) => put(count, number(found ? found.count : 0)),
  };
}

function sweepRow() {
  const facts = { id: idCell(), state: textCell(), account: textCell(), began: timeCell() };
  return {
    node: el(
      "tr",
      {},
      el("td", { class: "cut" }, facts.account.node),
      el("td", {}, facts.state.node),
      el("td", {}, facts.began.node),
      el("td", {}, facts.id.node),
    ),
    update(sweep) {
      if (!sweep) return;
      facts.account.update(sweep.batchUrl);
      facts.state.update(sweep.state);
      facts.began.update(sweep.startedAt);
      facts.id.update({ id: sweep.sweepId, href: routeTo("find", { id: sweep.sweepId, kind: "sweep" }) });
    },
  };
}

function firstLookPart() {
  const checks = tableBox("Health", ["Check", "Result"]),
    queues = tableBox("Queues", ["Queue", "Depth#", "Oldest", "Since this page was opened"]);
  const reasons = tableBox("Dead letters by reason", ["Reason", "Dead letters#"]),
    sweeps = tableBox("Last sweeps", ["Account", "State", "Started", "Sweep"]);
  const letters = el("a", { href: routeTo("dead-letters") }),
    countedNote = el("span", { class: "hint" });
  const running = el("a", { href: routeTo("clean-ups") }),
    noSweep = el("p", { class: "hint" }, "No account has been swept yet.");
  const checkList = keptList(checks.body, (one) => one.name, checkRow),
    queueList = keptList(queues.body, (one) => one.name, queueRow);
  const reasonList = keptList(reasons.body, (one) => one.reason, reasonRow),
    sweepList = keptList(sweeps.body, (one) => one.batchUrl, sweepRow);
  const copy = ticketButton(firstLookPairs, () => routeTo("first-look"));
  const node = el(
    "section",
    { "aria-label": "Overview" },
    el(
      "div",
      { class: "cards" },
      el("div", { class: "wide" }, el("h2", {}, "Queues"), queues.box),
      el("div", {}, el("h2", {}, "Dead letters"), el("p", {}, letters, " ", countedNote), reasons.box),
      el("div", {}, el("h2", {}, "Health"), checks.box),
      el("div", {}, el("h2", {}, "Clean-ups"), el("p", {}, running)),
      el("div", {}, el("h2", {}, "Sweeps"), noSweep, sweeps.box),
    ),
    el("div", { class: "buttons" }, copy),
  );
  function update() {
    const { summary, health } = latest;
    if (health) checkList.update(Object.entries(health.checks).map(([name, text]) => ({ name, text })));
    if (!summary) return;
    queueList.update(summary.queues);
    const found = summary.deadLetters,
      isAll = found.counted === "all";
    put(
      letters,
      isAll
        ? counted(found.total, "dead letter")
        : `More than ${counted(sum(found.byReason.map((one) => one.count)), "dead letter")}`,
    );
    put(countedNote, isAll ? "" : `by reason: ${found.counted}`);
    reasonList.update(found.byReason);
    show(reasons.box, reasonList.views.size > 0);
    put(running, `${counted(summary.cleanUps.running, "clean-up")} running`);
    sweepList.update(summary.sweeps);
    show(sweeps.box, sweepList.views.size > 0);
    show(noSweep, sweepList.views.size === 0);
  }
  return { node, title: "Overview", update, refresh: async () => update() };
}

function firstLookPairs() {
  const { summary, health } = latest;
  const queues = (summary?.queues || []).map((one) => [
    `queue ${one.name}`,
    `${one.depth} messages${one.oldestAgeSeconds === null ? "" : `, oldest ${duration(one.oldestAgeSeconds)}`}`,
  ]);
  const reasons = (summary?.deadLetters.byReason || []).map((one) => [`dead letters ${one.reason}`, one.count]);
  const checks = Object.entries(health?.checks || {})
    .filter(([, text]) => text !== "ok")
    .map(([name, text]) => [`check ${name}`, text]);
  return [
    ["verdict", verdictOf(health, summary).words],
    ["numbers of", summary && exactTime(summary.at)],
    ...checks,
    ...queues,
    ...reasons,
    ["clean-ups running", summary?.cleanUps.running],
  ];
}
