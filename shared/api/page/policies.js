// Retention policies, what they would delete now, and sweeps.

function keptWords(seconds) {
  return seconds === null || seconds === undefined ? "kept forever" : `after ${duration(seconds)}`;
}

function policiesPart() {
  const line = outcomeLine(),
    none = el("p", { class: "note", hidden: true }, "There are no policies: tasks are deleted only on request.");
  const policies = tableBox("Policies", [
    "Policy",
    "Jobs",
    "Account",
    "Succeeded tasks",
    "Failed tasks",
    "Limit per sweep",
    "Actions",
  ]);
  const accounts = tableBox("Accounts", ["Account", "Last sweep", "Next sweep", "Actions"]);
  const policyList = keptList(
    policies.body,
    (one) => one.name,
    (one) => policyRow(one, begin),
  );
  const accountList = keptList(
    accounts.body,
    (one) => one.batchUrl,
    (one) => accountRow(one, begin),
  );
  const accountsTitle = el("h3", {}, "Accounts");
  async function begin(body, words) {
    if (
      !body.dryRun &&
      !(await ask(`Sweep now with ${words}?`, "Sweep now", [
        el("p", {}, "The number of tasks is not known in advance. “Preview” counts them and deletes nothing."),
      ]))
    )
      return;
    await attempt(line, async () => {
      const sweep = await call("POST", "retention-sweeps", body);
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
  return {
    node: el(
      "section",
      { "aria-label": "Policies" },
      el("h2", {}, "Retention policies"),
      line.node,
      none,
      policies.box,
      accountsTitle,
      accounts.box,
    ),
    title: "Policies",
    refresh,
  };
}

function policyRow(policy, begin) {
  const cells = [textCell(), textCell(), textCell(), textCell(), textCell()],
    name = textCell();
  const body = policy.batchUrl ? { policy: policy.name, batchUrl: policy.batchUrl } : { policy: policy.name };
  const look = actButton("Preview", () => begin({ ...body, dryRun: true }), {
    class: "small",
    "aria-label": `Preview ${policy.name}`,
  });
  const sweep = actButton("Sweep now", () => begin(body, `1 policy: ${policy.name}`), {
    class: "small",
    "aria-label": `Sweep now with ${policy.name}`,
  });
  return {
    node: el(
      "tr",
      {},
      el("th", { scope: "row" }, name.node),
      ...cells.map((cell) => el("td", {}, cell.node)),
      el("td", {}, look, " ", sweep),
    ),
    update(found) {
      if (!found) return;
      name.update(found.dryRun ? `${found.name} (dry run)` : found.name);
      const delays = found.deleteAfterSeconds || {};
      const texts = [
        [found.jobs].flat().join(", "),
        found.batchUrl || "all",
        keptWords(delays.succeeded),
        keptWords(delays.failed),
        found.most ? number(found.most) : "no limit",
      ];
      texts.forEach((text, index) => cells[index].update(text));
    },
  };
}

function accountRow(account, begin) {
  const state = textCell(),
    last = idCell(),
    began = timeCell(),
    next = timeCell();
  const body = { batchUrl: account.batchUrl };
  const look = actButton("Preview", () => begin({ ...body, dryRun: true }), {
    class: "small",
    "aria-label": `Preview ${account.batchUrl}`,
  });
  const sweep = actButton("Sweep now", () => begin(body, `all policies of 1 account: ${account.batchUrl}`), {
    class: "small",
    "aria-label": `Sweep now ${account.batchUrl}`,
  });
  return {
    node: el(
      "tr",
      {},
      el("th", { scope: "row", class: "cut" }, account.batchUrl),
      el("td", {}, state.node, " ", began.node, " ", last.node),
      el("td", {}, next.node),
      el("td", {}, look, " ", sweep),
    ),
    update(found) {
      if (!found) return;
      const sweepOf = found.lastSweep;
      state.update(sweepOf ? sweepOf.state : "none yet");
      began.update(sweepOf?.startedAt);
      last.update(
        sweepOf ? { id: sweepOf.sweepId, href: routeTo("find", { id: sweepOf.sweepId, kind: "sweep" }) } : null,
      );
      next.update(found.nextSweepAt);
    },
  };
}
