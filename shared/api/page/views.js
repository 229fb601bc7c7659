// One request and one clean-up, as *Find* shows them.

/** A button that cancels the request, clean-up or sweep of a view, after a question. `done` is reported afterwards. */
function cancelButton(label, title, done, path, line, changed) {
  return actButton(label, async () => {
    if (!(await ask(title(), label))) return;
    await attempt(line, async () => {
      await call("DELETE", path());
      line.report(done);
      await changed();
    });
  });
}

function parentLink(document) {
  const result = document.result?.data;
  if (!result?.parentId) return null;
  const kind = { "job-completion": "clean-up", retention: "sweep" }[result.origin];
  return kind
    ? { id: result.parentId, href: routeTo("find", { id: result.parentId, kind, dryRun: result.dryRun ? "true" : "" }) }
    : { id: result.parentId };
}

function requestView(dryRun, changed) {
  const facts = factsView(),
    line = outcomeLine();
  let shown = {};
  const fragment = () => routeTo("find", { id: shown.clientRequestId, kind: "request", dryRun });
  const cancel = cancelButton(
    "Cancel the request",
    () => `Cancel 1 request: task ${shown.taskId} of job ${shown.jobId}?`,
    "The app has cancelled the request.",
    () => KINDS.request.path(shown.clientRequestId, dryRun),
    line,
    changed,
  );
  const copy = ticketButton(() => requestPairs(shown), fragment);
  return {
    node: el(
      "article",
      { "aria-label": "Request" },
      el("h3", {}, dryRun ? "Request (dry run)" : "Request"),
      facts.node,
      line.node,
      el("div", { class: "buttons" }, cancel, copy),
    ),
    isOver: (document) => document.state === "done",
    update(document) {
      shown = document;
      const result = document.result?.data || {};
      facts.update([
        ["State", "text", document.state],
        ["Outcome", "text", result.outcome],
        ["Certainty", "text", result.certainty],
        ["Id", "id", document.clientRequestId],
        ["Job", "text", document.jobId],
        ["Task", "text", document.taskId],
        ["Account", "text", document.batchUrl],
        ["Attempts", "text", number(document.attempts)],
        ["Accepted", "time", document.acceptedAt],
        ["Next attempt", "time", document.nextAttemptAt],
        ["Completed", "time", result.completedAt],
        ["Origin", "text", result.origin],
        ["Part of", "id", parentLink(document)],
        ["Batch answered", "text", result.statusCode],
        ["Batch's request id", "id", result.batchRequestId],
        ["Error", "error", result.error || document.lastError],
      ]);
      show(cancel, ["accepted", "scheduled"].includes(document.state));
    },
  };
}

function requestPairs(document) {
  const result = document.result?.data || {},
    error = result.error || document.lastError;
  return [
    ["request", document.clientRequestId],
    ["job", document.jobId],
    ["task", document.taskId],
    ["account", document.batchUrl],
    ["state", document.state],
    ["outcome", result.outcome],
    ["certainty", result.certainty],
    ["attempts", document.attempts],
    ["accepted", exactTime(document.acceptedAt)],
    ["reason", errorLine(error)],
    ["Batch's request id", result.batchRequestId],
    ["dry run", document.dryRun],
  ];
}

function outcomesText(done) {
  return Object.entries(done || {})
    .map(([outcome, count]) => `${outcome} ${number(count)}`)
    .join(", ");
}

function cleanUpView(dryRun, changed) {
  const facts = factsView(),
    line = outcomeLine(),
    bar = progressView("Progress of the clean-up");
  let shown = {},
    wasOver = null;
  const fragment = () => routeTo("find", { id: shown.eventId, kind: "clean-up", dryRun });
  const cancel = cancelButton(
    "Cancel the clean-up",
    () => `Cancel 1 clean-up: job ${shown.jobId}?`,
    "The app is cancelling the clean-up. Requests that have begun will finish.",
    () => KINDS["clean-up"].path(shown.eventId, dryRun),
    line,
    changed,
  );
  const copy = ticketButton(() => cleanUpPairs(shown), fragment);
  return {
    node: el(
      "article",
      { "aria-label": "Clean-up" },
      el("h3", {}, dryRun ? "Clean-up (dry run)" : "Clean-up"),
      bar.node,
      facts.node,
      line.node,
      el("div", { class: "buttons" }, cancel, copy),
    ),
    isOver: (document) => progressOf(document).isOver,
    update(document) {
      shown = document;
      const progress = progressOf(document);
      bar.update(progress, document.open);
      facts.update([
        ["State", "text", document.state],
        ["Job", "text", document.jobId],
        ["Id", "id", document.eventId],
        ["Account", "text", document.batchUrl],
        ["Job state", "text", document.jobState],
        ["Listed", "text", number(document.listed)],
        ["Requested", "text", number(document.requested)],
        ["Skipped", "text", number(document.skipped)],
        ["Open", "text", number(document.open)],
        ["Done", "text", outcomesText(document.done)],
        ["Error", "error", document.error],
      ]);
      show(cancel, !progress.isOver && document.state !== "cancelled");
      if (wasOver === false && progress.isOver) say(`The clean-up of job ${document.jobId} has finished`);
      wasOver = progress.isOver;
    },
  };
}

function cleanUpPairs(document) {
  return [
    ["clean-up", document.eventId],
    ["job", document.jobId],
    ["account", document.batchUrl],
    ["state", document.state],
    ["listed", document.listed],
    ["requested", document.requested],
    ["skipped", document.skipped],
    ["open", document.open],
    ["done", outcomesText(document.done)],
    ["reason", errorLine(document.error)],
    ["dry run", document.dryRun],
  ];
}

function letterFoundView() {
  const view = letterView(() => {});
  return { node: view.node, isOver: () => true, update: view.update };
}
