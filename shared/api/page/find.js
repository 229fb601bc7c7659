// One request, clean-up, sweep or dead letter by its id.

const KINDS = {
  request: { word: "request", path: (id, dryRun) => `task-deletions/${id}${query({ dryRun })}`, make: requestView, hasDryRuns: true },
  "clean-up": { word: "clean-up", path: (id, dryRun) => `job-completions/${id}${query({ dryRun })}`, make: cleanUpView, hasDryRuns: true },
  sweep: { word: "sweep", path: (id) => `retention-sweeps/${id}`, make: sweepView },
  "dead-letter": { word: "dead letter", path: (id) => `dead-letters/${id}`, make: letterFoundView },
};
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Where to look for an id, one place after the other: the real one before its dry run. */
function placesToLook(kind, dryRun) {
  const kinds = kind in KINDS ? [kind] : Object.keys(KINDS);
  const real = dryRun === "true" ? [] : kinds.map((name) => [name, undefined]);
  const tried = dryRun === undefined || dryRun === "true" ? kinds.filter((name) => KINDS[name].hasDryRuns).map((name) => [name, "true"]) : [];
  return [...real, ...tried];
}

async function lookUp({ id, kind, dryRun }) {
  for (const [name, isTried] of placesToLook(kind, dryRun)) {
    try {
      return { kind: name, dryRun: isTried, document: await call("GET", KINDS[name].path(encodeURIComponent(id), isTried)) };
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  return null;
}

function findPart(params) {
  const id = el("input", { id: "find-id", type: "text", autocomplete: "off", spellcheck: "false", required: true });
  const kind = el("select", { id: "find-kind" }, el("option", { value: "" }, "whatever has it"), ...Object.entries(KINDS).map(([name, { word }]) => el("option", { value: name }, word)));
  const dryRun = checkField("find-dry-run", "Of a dry run");
  const line = outcomeLine(), place = el("div");
  let found = null, view = null;
  id.value = params.id || "";
  kind.value = params.kind in KINDS ? params.kind : "";
  dryRun.input.checked = params.dryRun === "true";
  const form = el("form", { on: { submit } }, field("Id", id, "of a request, a clean-up, a sweep or a dead letter"),
    field("Kind", kind), dryRun.node, el("div", { class: "buttons" }, el("button", { type: "submit", class: "main" }, "Find")));
  function submit(event) {
    event.preventDefault();
    go(routeTo("find", { id: id.value.trim().toLowerCase(), kind: kind.value, dryRun: dryRun.input.checked ? "true" : "" }));
  }
  async function look() {
    if (!GUID.test(params.id)) {
      line.fail(new Fault("That is no id: an id has 36 characters, like 0f8fad5b-d9cb-469f-a165-70867728950e."));
      return;
    }
    found = await lookUp(params);
    if (!found) {
      line.fail(new Fault(`Nothing with the id ${params.id} is remembered. A request of a clean-up or a sweep is known once it was begun.`));
      return;
    }
    view = KINDS[found.kind].make(found.dryRun, refresh);
    place.replaceChildren(view.node);
    view.update(found.document);
  }
  const refresh = oneAtATime(async () => {
    if (!params.id || (line.node.hidden === false && !found)) return undefined;
    if (!found) return attempt(line, look);
    if (view.isOver(found.document)) return undefined;
    found.document = await call("GET", KINDS[found.kind].path(params.id, found.dryRun));
    return view.update(found.document);
  });
  return { node: el("section", { "aria-label": "Find" }, el("h2", {}, "Find"), form, line.node, place), title: "Find", refresh };
}

/** A button that cancels what a view shows, after a question. */
function cancelButton(label, title, path, line, changed) {
  return actButton(label, async () => {
    if (!await ask(title(), label)) return;
    await attempt(line, async () => {
      await call("DELETE", path());
      line.tell(`Asked: ${label.toLowerCase()}.`);
      await changed();
    });
  });
}

function parentLink(document) {
  const result = document.result?.data;
  if (!result?.parentId) return null;
  const kind = { "job-completion": "clean-up", retention: "sweep" }[result.origin];
  return kind ? { id: result.parentId, href: routeTo("find", { id: result.parentId, kind, dryRun: result.dryRun ? "true" : "" }) } : { id: result.parentId };
}

function requestView(dryRun, changed) {
  const facts = factsView(), line = outcomeLine();
  let shown = {};
  const fragment = () => routeTo("find", { id: shown.clientRequestId, kind: "request", dryRun });
  const cancel = cancelButton("Cancel the request", () => `Cancel 1 request: task ${shown.taskId} of job ${shown.jobId}?`, () => KINDS.request.path(shown.clientRequestId, dryRun), line, changed);
  const copy = ticketButton(() => requestPairs(shown), fragment);
  return {
    node: el("article", { "aria-label": "Request" }, el("h3", {}, dryRun ? "Request (dry run)" : "Request"), facts.node, line.node, el("div", { class: "buttons" }, cancel, copy)),
    isOver: (document) => document.state === "done",
    update(document) {
      shown = document;
      const result = document.result?.data || {};
      facts.update([
        ["State", "text", document.state], ["Outcome", "text", result.outcome], ["Certainty", "text", result.certainty],
        ["Id", "id", document.clientRequestId], ["Job", "text", document.jobId], ["Task", "text", document.taskId],
        ["Account", "text", document.batchUrl], ["Attempts", "text", number(document.attempts)],
        ["Accepted", "time", document.acceptedAt], ["Next attempt", "time", document.nextAttemptAt], ["Done", "time", result.completedAt],
        ["Origin", "text", result.origin], ["Part of", "id", parentLink(document)],
        ["Batch answered", "text", result.statusCode], ["Batch's request id", "id", result.batchRequestId],
        ["Error", "error", result.error || document.lastError],
      ]);
      show(cancel, ["accepted", "scheduled"].includes(document.state));
    },
  };
}

function requestPairs(document) {
  const result = document.result?.data || {}, error = result.error || document.lastError;
  return [["request", document.clientRequestId], ["job", document.jobId], ["task", document.taskId], ["account", document.batchUrl], ["state", document.state], ["outcome", result.outcome],
    ["certainty", result.certainty], ["attempts", document.attempts], ["accepted", exactTime(document.acceptedAt)], ["reason", errorLine(error)], ["Batch's request id", result.batchRequestId], ["dry run", document.dryRun]];
}

function outcomesText(done) {
  return Object.entries(done || {}).map(([outcome, count]) => `${outcome} ${number(count)}`).join(", ");
}

function cleanUpView(dryRun, changed) {
  const facts = factsView(), line = outcomeLine(), bar = progressView("Progress of the clean-up");
  let shown = {}, wasOver = null;
  const fragment = () => routeTo("find", { id: shown.eventId, kind: "clean-up", dryRun });
  const cancel = cancelButton("Cancel the clean-up", () => `Cancel 1 clean-up: job ${shown.jobId}?`, () => KINDS["clean-up"].path(shown.eventId, dryRun), line, changed);
  const copy = ticketButton(() => cleanUpPairs(shown), fragment);
  return {
    node: el("article", { "aria-label": "Clean-up" }, el("h3", {}, dryRun ? "Clean-up (dry run)" : "Clean-up"), bar.node, facts.node, line.node, el("div", { class: "buttons" }, cancel, copy)),
    isOver: (document) => progressOf(document).isOver,
    update(document) {
      shown = document;
      const progress = progressOf(document);
      bar.update(progress, document.open);
      facts.update([
        ["State", "text", document.state], ["Job", "text", document.jobId], ["Id", "id", document.eventId], ["Account", "text", document.batchUrl],
        ["State of the job", "text", document.jobState], ["Listed", "text", number(document.listed)], ["Requested", "text", number(document.requested)],
        ["Skipped", "text", number(document.skipped)], ["Open", "text", number(document.open)], ["Done", "text", outcomesText(document.done)], ["Error", "error", document.error],
      ]);
      show(cancel, !progress.isOver && document.state !== "cancelled");
      if (wasOver === false && progress.isOver) say(`The clean-up of job ${document.jobId} has ended`);
      wasOver = progress.isOver;
    },
  };
}

function cleanUpPairs(document) {
  return [["clean-up", document.eventId], ["job", document.jobId], ["account", document.batchUrl], ["state", document.state], ["listed", document.listed], ["requested", document.requested],
    ["skipped", document.skipped], ["open", document.open], ["done", outcomesText(document.done)], ["reason", errorLine(document.error)], ["dry run", document.dryRun]];
}

function letterFoundView() {
  const view = letterView(() => {});
  return { node: view.node, isOver: () => true, update: view.update };
}
