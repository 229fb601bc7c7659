// The form for one deletion or its dry run.

const FORM_FIELDS = [
  ["jobId", "Job", ""],
  ["taskId", "Task", ""],
  ["deleteAfter", "Delete after", "(such as PT1H or P3D; empty: now)"],
  ["batchUrl", "Account", "(empty: the default account)"],
];
const FORM_CONDITIONS = [
  ["timeout", "Timeout", "(seconds)"],
  ["ifMatch", "If-Match", ""],
  ["ifNoneMatch", "If-None-Match", ""],
  ["ifModifiedSince", "If-Modified-Since", ""],
  ["ifUnmodifiedSince", "If-Unmodified-Since", ""],
];

function askPart(params) {
  const inputs = {},
    line = outcomeLine(),
    place = el("div"),
    about = el("p", { class: "note", hidden: true });
  const make = ([name, label, hint]) => {
    inputs[name] = el("input", {
      id: `ask-${name}`,
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      on: { input: renewId },
    });
    return field(label, inputs[name], hint);
  };
  const metadata = el("input", {
    id: "ask-metadata",
    type: "text",
    autocomplete: "off",
    spellcheck: "false",
    on: { input: renewId },
  });
  const idText = el("span", { class: "mono" });
  const settleLetter = actButton("Settle the dead letter", settle, { hidden: true });
  const conditions = el(
    "details",
    {},
    el("summary", {}, "Conditions, timeout, metadata"),
    el(
      "div",
      { class: "filters" },
      ...FORM_CONDITIONS.map(make),
      field("Metadata", metadata, "(JSON object of strings)"),
    ),
  );
  let id = newId(),
    wasSent = false,
    view = null,
    letter = null;
  const tryOut = actButton("Dry run", () => attempt(line, () => send(true))),
    real = actButton("Delete the task", () => attempt(line, () => send(false)), { class: "main" });
  const form = el(
    "form",
    { on: { submit: (event) => event.preventDefault() } },
    about,
    el("div", { class: "filters" }, ...FORM_FIELDS.map(make)),
    conditions,
    el("p", { class: "hint" }, "Client request id: ", idText),
    el("div", { class: "buttons" }, tryOut, real),
  );
  put(idText, id);

  /** A changed payload needs a new id. An unchanged one keeps it, so sending it again after a lost answer is safe. */
  function renewId() {
    if (!wasSent) return;
    wasSent = false;
    id = newId();
    put(idText, id);
  }

  function fieldsNow() {
    return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()]));
  }

  async function send(dryRun) {
    line.clear();
    const fields = fieldsNow();
    let asked;
    try {
      asked = requestOf(id, fields, metadata.value.trim(), dryRun);
    } catch (error) {
      throw new Fault(error.message);
    }
    const when = fields.deleteAfter ? `, after ${escaped(fields.deleteAfter)}` : "";
    if (
      !dryRun &&
      !(await ask(
        `Delete 1 task: ${escaped(fields.taskId) || "(none)"} of job ${escaped(fields.jobId) || "(none)"}${when}?`,
        "Delete 1 task",
      ))
    )
      return;
    wasSent = true;
    const document = await call("POST", "task-deletions", asked);
    line.report(dryRun ? "The dry run was accepted. Nothing will be deleted." : "The request was accepted.");
    view = { document, dryRun: dryRun ? "true" : undefined, ...requestView(dryRun ? "true" : undefined, refresh) };
    place.replaceChildren(view.node);
    view.update(document);
    show(settleLetter, Boolean(letter) && !dryRun);
    await refresh();
  }

  async function settle() {
    if (!(await ask(`Settle 1 dead letter: ${letterTitle(letter)}?`, "Settle"))) return;
    await attempt(line, async () => {
      await call("DELETE", `dead-letters/${letter.id}`);
      line.report("The dead letter is settled.");
      show(settleLetter, false);
    });
  }

  async function copyLetter() {
    letter = await call("GET", `dead-letters/${encodeURIComponent(params.letter)}`);
    const found = requestFromLetter(letter);
    for (const [name, value] of Object.entries(found.fields)) inputs[name].value = value;
    if (found.metadata) metadata.value = found.metadata;
    conditions.open = FORM_CONDITIONS.some(([name]) => found.fields[name]) || Boolean(found.metadata);
    const left = found.left.length ? ` Not copied: ${found.left.join(", ")}.` : "";
    put(
      about,
      `Copied from dead letter ${letter.id} (${escaped(letter.reason)}), with a new id.${found.dryRun ? " It was a dry run." : ""}${left}`,
    );
    show(about, true);
  }

  async function refresh() {
    if (!view || view.isOver(view.document)) return;
    view.document = await call("GET", KINDS.request.path(view.document.clientRequestId, view.dryRun));
    view.update(view.document);
  }

  return {
    node: el(
      "section",
      { "aria-label": "Delete a task" },
      el("h2", {}, "Delete a task"),
      form,
      line.node,
      settleLetter,
      place,
    ),
    title: "Delete a task",
    refresh,
    start: async () => {
      if (params.letter) await attempt(line, copyLetter);
    },
  };
}
