// Retention policies, what they would take now, and sweeps.

function keptWords(seconds) {
  return seconds === null || seconds === undefined ? "kept for good" : `after ${duration(seconds)}`;
}

function policiesPart() {
  const line = outcomeLine(),
    none = el("p", { class: "note", hidden: true }, "No policy: finished work is deleted on request alone.");
  const policies = tableBox("Policies", [
    "Policy",
    "Jobs",
    "Account",
    "Succeeded tasks",
    "Failed tasks",
    "At most a sweep",
    "Acts",
  ]);
  const accounts = tableBox("Accounts", ["Account", "Last sweep", "Next sweep", "Acts"]);
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
  async function begin(wish, words) {
    if (
      !wish.dryRun &&
      !(await ask(`Sweep now by ${words}?`, "Sweep now", [
        el("p", {}, "How many tasks go is not known before; “What would go now” counts them and deletes nothing."),
      ]))
    )
      return;
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
  const wish = policy.batchUrl ? { policy: policy.name, batchUrl: policy.batchUrl } : { policy: policy.name };
  const look = actButton("What would go now", () => begin({ ...wish, dryRun: true }), {
    class: "small",
    "aria-label": `What would go now by ${policy.name}`,
  });
  const sweep = actButton("Sweep now", () => begin(wish, `1 policy: ${policy.name}`), {
    class: "small",
    "aria-label": `Sweep now by ${policy.name}`,
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
  const wish = { batchUrl: account.batchUrl };
  const look = actButton("What would go now", () => begin({ ...wish, dryRun: true }), {
    class: "small",
    "aria-label": `What would go now in ${account.batchUrl}`,
  });
  const sweep = actButton("Sweep now", () => begin(wish, `all policies of 1 account: ${account.batchUrl}`), {
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
