// One dead letter: its contents, and what can be done about it.

function letterTitle(letter) {
  return letter.jobId && letter.taskId
    ? `task ${escaped(letter.taskId)} of job ${escaped(letter.jobId)}`
    : `id ${letter.id}`;
}

function stateOfLetter(letter) {
  const said = [];
  if (letter.settledAt) said.push("settled");
  if (letter.redrivenAt) said.push("redriven");
  return said.join(", ") || "open";
}

/** A dead letter with its body. `changed` is called after an act. */
function letterView(changed, closeHref = () => null) {
  const facts = factsView(),
    body = el("pre", { tabindex: "0", "aria-label": "Body as received" }),
    encoding = el("span", { class: "hint" });
  const line = outcomeLine(),
    form = el("a", {}, "Open in the form"),
    close = el("a", {}, "Close");
  let shown = {};
  const act = (label, path, method, report) =>
    actButton(label, async () => {
      if (!(await ask(`${label} 1 dead letter: ${letterTitle(shown)}?`, label))) return;
      await attempt(line, async () => {
        await call(method, path());
        line.report(report);
        shown = { ...shown, ...(await call("GET", `dead-letters/${shown.id}`)) };
        update(shown);
        changed(shown);
      });
    });
  const redrive = act(
    "Redrive",
    () => `dead-letters/${shown.id}/redrive`,
    "POST",
    "Redriven: sent to its queue again.",
  );
  const settle = act("Settle", () => `dead-letters/${shown.id}`, "DELETE", "Settled: no longer listed.");
  const copy = ticketButton(
    () => letterPairs(shown),
    () => routeTo("dead-letters", { id: shown.id }),
  );
  function update(letter) {
    shown = letter;
    facts.update([
      ["Reason", "text", letter.reason],
      ["Outcome", "text", letter.dryRun ? `${letter.outcome} (dry run)` : letter.outcome],
      ["Error", "error", letter.error],
      ["Letter", "id", letter.id],
      [
        "Request",
        "id",
        letter.clientRequestId && {
          id: letter.clientRequestId,
          href: routeTo("find", { id: letter.clientRequestId, dryRun: letter.dryRun ? "true" : "" }),
        },
      ],
      ["Job", "text", letter.jobId],
      ["Task", "text", letter.taskId],
      ["Queue", "text", letter.queue],
      ["Attempts", "text", number(letter.attempts)],
      ["First seen", "time", letter.firstSeenAt],
      ["Last seen", "time", letter.lastSeenAt],
      ["Redriven", "time", letter.redrivenAt],
      ["Redriven by", "text", letter.redrivenBy],
      ["Settled", "time", letter.settledAt],
      ["Settled by", "text", letter.settledBy],
      ["Batch answered", "text", letter.statusCode],
      ["Batch's request id", "id", letter.batchRequestId],
    ]);
    putVisible(body, letter.body);
    put(encoding, letter.bodyEncoding === "base64" ? "(not text; in base64)" : "");
    mark(form, "href", routeTo("ask", { letter: letter.id }));
    const href = closeHref();
    show(close, Boolean(href));
    if (href) mark(close, "href", href);
    // The API never redrives these two: the request itself has to be changed, in the form.
    show(redrive, !letter.redrivenAt && !["rejected", "conflict"].includes(letter.outcome));
    show(settle, !letter.settledAt);
  }
  const node = el(
    "article",
    { class: "letter", "aria-label": "Dead letter" },
    facts.node,
    el("h3", {}, "Body as received ", encoding),
    body,
    line.node,
    el("div", { class: "buttons" }, redrive, settle, copy, form, close),
  );
  return { node, update };
}

function letterPairs(letter) {
  return [
    ["dead letter", letter.id],
    ["reason", letter.reason],
    ["outcome", letter.outcome],
    ["error", errorLine(letter.error)],
    ["request", letter.clientRequestId],
    ["job", letter.jobId],
    ["task", letter.taskId],
    ["queue", letter.queue],
    ["attempts", letter.attempts],
    ["first seen", exactTime(letter.firstSeenAt)],
    ["last seen", exactTime(letter.lastSeenAt)],
    ["redriven", letter.redrivenAt && exactTime(letter.redrivenAt)],
    ["settled", letter.settledAt && exactTime(letter.settledAt)],
    ["Batch's request id", letter.batchRequestId],
  ];
}
