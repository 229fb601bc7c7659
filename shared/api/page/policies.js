// Retention policies, what they would take now, and sweeps.

function keptWords(seconds) {
  return seconds === null || seconds === undefined ? "kept for good" : `after ${duration(seconds)}`;
}

function policiesPart() {
  const line = outcomeLine(), none = el("p", { class: "note", hidden: true }, "No policy: finished work is deleted on request alone.");
  const policies = tableBox("Policies", ["Policy", "Jobs", "Account", "Succeeded tasks", "Failed tasks", "At most a sweep", "Acts"]);
  const accounts = tableBox("Accounts", ["Account", "Last sweep", "Next sweep", "Acts"]);
  const policyList = keptList(policies.body, (one) => one.name, (one) => policyRow(one, begin));
  const accountList = keptList(accounts.body, (one) => one.batchUrl, (one) => accountRow(one, begin));
  const accountsTitle = el("h3", {}, "Accounts");
  async function begin(wish, words) {
    if (!wish.dryRun && !await ask(`Sweep now: ${words}?`, "Sweep now", [el("p", {}, "How many go is not known before; “what would go now” counts them and deletes nothing.")])) return;
    await attempt(line, async () => {
      const sweep = await call("POST", "retention-sweeps", wish);
      go(routeTo("find", { id: sweep.sweepId, kind: "sweep" }));
    });
  }
  async function refresh() {
    const found = await call("GET", "retention-policies");
    policyList.update(found.policies);
    accountList.update(found.accounts);
    show(none, !found.policies.length);
    for (const node of [policies.box, accounts.box, accountsTitle]) show(node, found.policies.length > 0);
  }
  return { node: el("section", { "aria-label": "Policies" }, el("h2", {}, "Retention policies"), line.node, none, policies.box, accountsTitle, accounts.box), title: "Policies", refresh };
}

function policyRow(policy, begin) {
  const cells = [textCell(), textCell(), textCell(), textCell(), textCell()], name = textCell();
  const wish = policy.batchUrl ? { policy: policy.name, batchUrl: policy.batchUrl } : { policy: policy.name };
  const look = actButton("What would go now", () => begin({ ...wish, dryRun: true }), { class: "small", "aria-label": `What would go now by ${policy.name}` });
  const sweep = actButton("Sweep now", () => begin(wish, `policy ${policy.name}`), { class: "small", "aria-label": `Sweep now by ${policy.name}` });
  return {
    node: el("tr", {}, el("th", { scope: "row" }, name.node), ...cells.map((cell) => el("td", {}, cell.node)), el("td", {}, look, " ", sweep)),
    update(found) {
      if (!found) return;
      name.update(found.dryRun ? `${found.name} (dry run)` : found.name);
      const delays = found.deleteAfterSeconds || {};
      const texts = [[found.jobs].flat().join(", "), found.batchUrl || "all", keptWords(delays.succeeded), keptWords(delays.failed), found.most ? number(found.most) : "no limit"];
      texts.forEach((text, index) => cells[index].update(text));
    },
  };
}

function accountRow(account, begin) {
  const state = textCell(), last = idCell(), began = timeCell(), next = timeCell();
  const wish = { batchUrl: account.batchUrl };
  const look = actButton("What would go now", () => begin({ ...wish, dryRun: true }), { class: "small", "aria-label": `What would go now in ${account.batchUrl}` });
  const sweep = actButton("Sweep now", () => begin(wish, `all policies of ${account.batchUrl}`), { class: "small", "aria-label": `Sweep now ${account.batchUrl}` });
  return {
    node: el("tr", {}, el("th", { scope: "row", class: "cut" }, account.batchUrl), el("td", {}, state.node, " ", began.node, " ", last.node), el("td", {}, next.node), el("td", {}, look, " ", sweep)),
    update(found) {
      if (!found) return;
      const sweepOf = found.lastSweep;
      state.update(sweepOf ? sweepOf.state : "none yet");
      began.update(sweepOf?.startedAt);
      last.update(sweepOf ? { id: sweepOf.sweepId, href: routeTo("find", { id: sweepOf.sweepId, kind: "sweep" }) } : null);
      next.update(found.nextSweepAt);
    },
  };
}

function sweepView(_, changed) {
  const facts = factsView(), line = outcomeLine(), bar = progressView("Progress of the sweep"), title = el("h3", {}, "Sweep");
  const table = tableBox("What each policy took", ["Policy", "Jobs#", "Requested#", "Kept#"]), list = keptList(table.body, (one) => one.name, sweptRow);
  const samples = el("div");
  let shown = {}, wasOver = null;
  const stop = cancelButton("Stop the sweep", () => `Stop 1 sweep of ${shown.batchUrl}?`, () => KINDS.sweep.path(shown.sweepId), line, changed);
  const copy = ticketButton(() => sweepPairs(shown), () => routeTo("find", { id: shown.sweepId, kind: "sweep" }));
  const isOver = (document) => document.state !== "running" && !document.open;
  return {
    node: el("article", { "aria-label": "Sweep" }, title, bar.node, facts.node, table.box, samples, line.node, el("div", { class: "buttons" }, stop, copy)),
    isOver,
    update(document) {
      shown = document;
      put(title, document.dryRun ? "Sweep (dry run: what would go now)" : "Sweep");
      const progress = progressOf(document), requested = progress.total;
      bar.update(document.dryRun ? { ...progress, done: requested, isOver: isOver(document) } : progress, document.open, document.dryRun ? "nothing is deleted" : "");
      facts.update([
        ["State", "text", document.state], ["Id", "id", document.sweepId], ["Account", "text", document.batchUrl], ["Began", "time", document.startedAt], ["Ended", "time", document.endedAt],
        ["Jobs taken", "text", number(document.jobs)], [document.dryRun ? "Would go" : "Requested", "text", number(requested)],
        ["Jobs left alone", "text", outcomesText(document.leftAlone)], ["Open", "text", number(document.open)], ["Done", "text", outcomesText(document.done)], ["Error", "error", document.error],
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
  const name = textCell(), jobs = el("span"), requested = el("span"), kept = el("span");
  return {
    node: el("tr", {}, el("th", { scope: "row" }, name.node), ...[jobs, requested, kept].map((cell) => el("td", { class: "number" }, cell))),
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
  place.replaceChildren(...text.map(([name, sample]) => el("details", {}, el("summary", {}, `Some of them, by ${name}`), el("ul", { class: "mono" }, ...sample.map((task) => el("li", {}, escaped(task)))))));
}

function sweepPairs(document) {
  return [["sweep", document.sweepId], ["account", document.batchUrl], ["state", document.state], ["dry run", document.dryRun ? "yes" : ""], ["began", exactTime(document.startedAt)], ["ended", document.endedAt && exactTime(document.endedAt)],
    ["jobs", document.jobs], ["left alone", outcomesText(document.leftAlone)], ...document.policies.map((one) => [`policy ${one.name}`, `${one.requested} requested, ${one.kept} kept`]), ["open", document.open], ["done", outcomesText(document.done)], ["reason", errorLine(document.error)]];
}
