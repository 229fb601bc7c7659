// One request, clean-up, sweep or dead letter by its id.

const KINDS = {
  request: {
    word: "request",
    path: (id, dryRun) => `task-deletions/${id}${query({ dryRun })}`,
    make: requestView,
    hasDryRuns: true,
  },
  "clean-up": {
    word: "clean-up",
    path: (id, dryRun) => `job-completions/${id}${query({ dryRun })}`,
    make: cleanUpView,
    hasDryRuns: true,
  },
  sweep: { word: "sweep", path: (id) => `retention-sweeps/${id}`, make: sweepView },
  "dead-letter": { word: "dead letter", path: (id) => `dead-letters/${id}`, make: letterFoundView },
};
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

async function lookUp({ id, kind, dryRun }) {
  for (const [name, isDryRun] of placesToLook(KINDS, kind, dryRun)) {
    try {
      return {
        kind: name,
        dryRun: isDryRun,
        document: await call("GET", KINDS[name].path(encodeURIComponent(id), isDryRun)),
      };
    } catch (error) {
      if (error.status !== 404) throw error;
    }
  }
  return null;
}

function findPart(params) {
  const id = el("input", { id: "find-id", type: "text", autocomplete: "off", spellcheck: "false", required: true });
  const kind = el(
    "select",
    { id: "find-kind" },
    el("option", { value: "" }, "any"),
    ...Object.entries(KINDS).map(([name, { word }]) => el("option", { value: name }, word)),
  );
  const dryRun = checkField("find-dry-run", "Dry run");
  const line = outcomeLine(),
    place = el("div");
  let found = null,
    view = null;
  id.value = params.id || "";
  kind.value = params.kind in KINDS ? params.kind : "";
  dryRun.input.checked = params.dryRun === "true";
  const form = el(
    "form",
    { on: { submit } },
    field("Id", id, "of a request, a clean-up, a sweep or a dead letter"),
    field("Kind", kind),
    dryRun.node,
    el("div", { class: "buttons" }, el("button", { type: "submit", class: "main" }, "Find")),
  );
  function submit(event) {
    event.preventDefault();
    go(
      routeTo("find", {
        id: id.value.trim().toLowerCase(),
        kind: kind.value,
        dryRun: dryRun.input.checked ? "true" : "",
      }),
    );
  }
  async function look() {
    if (!GUID.test(params.id)) {
      line.fail(new Fault("That is not an id: an id has 36 characters, like 0f8fad5b-d9cb-469f-a165-70867728950e."));
      return;
    }
    found = await lookUp(params);
    if (!found) {
      line.fail(
        new Fault(
          `Nothing with the id ${params.id} was found. Requests of clean-ups and sweeps can be found once they have begun.`,
        ),
      );
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
  return {
    node: el("section", { "aria-label": "Find" }, el("h2", {}, "Find"), form, line.node, place),
    title: "Find",
    refresh,
  };
}
