// Redrives and settles many dead letters: those that are ticked, or all that match the filter.

const A_CALL = 100,
  A_LOOK = 1000,
  A_SAMPLE = 5;
const ACT_WORDS = {
  redrive: { verb: "Redrive", done: "redriven", past: "Redriven" },
  settle: { verb: "Settle", done: "settled", past: "Settled" },
};

/** Counts what a pass would act on, by dry runs to the last page: `{matched, before, ids}`, with a few of the ids. */
async function countMatching(act, filter, most, report) {
  const first = Object.keys(filter).length ? filter : { all: true };
  let matched = 0,
    body = first,
    before = null,
    ids = null,
    answer;
  do {
    answer = await call("POST", `dead-letters/${act}`, {
      ...body,
      dryRun: true,
      most: Math.min(A_LOOK, most - matched),
    });
    matched += answer.matched;
    report(matched);
    before ??= answer.before;
    ids ??= answer.ids.slice(0, A_SAMPLE);
    body = { continuation: answer.continuation };
  } while (answer.continuation && matched < most);
  return { matched, before, ids };
}

/** Carries out a pass, call by call, and calls `report(taken, done)` after each. */
async function carryOut(act, { filter, before, most, perSecond }, report, isStopped) {
  let body = { ...filter, before },
    taken = 0,
    done = 0,
    answer;
  do {
    const rate = act === "redrive" ? { perSecond } : {};
    answer = await call("POST", `dead-letters/${act}`, { ...body, ...rate, most: Math.min(A_CALL, most - taken) });
    taken += answer.matched;
    done += answer[ACT_WORDS[act].done];
    body = { continuation: answer.continuation };
    report(taken, done);
  } while (answer.continuation && taken < most && !isStopped());
  return done;
}

/** The newest of the letters that would be acted on, for the question. */
async function sampleOf(ids, matched) {
  const letters = await Promise.all(ids.map((id) => call("GET", `dead-letters/${id}`)));
  const lines = letters.map((letter) =>
    el("li", {}, `${exactTime(letter.firstSeenAt)} ${escaped(letter.reason)}: ${letterTitle(letter)}`),
  );
  return [
    el("p", {}, matched > ids.length ? `The newest ${ids.length}:` : "They are:"),
    el("ul", { class: "errors" }, ...lines),
  ];
}

function letterActs({ filterNow, ticked, changed }) {
  const rate = el("input", { id: "per-second", type: "number", min: "1", max: "1000", value: "10", class: "short" });
  const most = el("input", { id: "most", type: "number", min: "1", class: "short" });
  const line = outcomeLine(),
    bar = progressView("Progress of the act"),
    progress = el("div", { hidden: true }, bar.node);
  const counting = el("p", { class: "hint", hidden: true });
  let isStopped = false;
  const stop = el(
    "button",
    {
      type: "button",
      hidden: true,
      on: {
        click: () => {
          isStopped = true;
        },
      },
    },
    "Stop after this call",
  );
  progress.append(stop);

  const many = (act) => actButton(`${ACT_WORDS[act].verb} all that match`, () => attempt(line, () => actOnAll(act)));
  const some = (act) => actButton(`${ACT_WORDS[act].verb} ticked`, () => attempt(line, () => actOnTicked(act)));
  const buttons = { redrive: some("redrive"), settle: some("settle") };

  async function actOnAll(act) {
    const words = ACT_WORDS[act],
      filter = filterNow(),
      perSecond = Number(rate.value) || 10;
    line.clear();
    show(counting, true);
    const report = (count) => put(counting, `Counting: ${number(count)} so far`);
    report(0);
    const { matched, before, ids } = await countMatching(act, filter, Number(most.value) || Infinity, report).finally(
      () => show(counting, false),
    );
    if (!matched) return line.report(`Nothing to ${act}: no dead letter matches (${filterWords(filter)}).`);
    const named = counted(matched, "dead letter"),
      pace =
        act === "redrive"
          ? [el("p", {}, `${number(perSecond)} per second, so over ${duration(matched / perSecond)}.`)]
          : [];
    const more = [
      el(
        "p",
        {},
        `Filter: ${filterWords({ ...filter, before: undefined })}; first seen before ${exactTime(before)}, newest first.`,
      ),
      ...pace,
      ...(await sampleOf(ids, matched)),
    ];
    if (!(await ask(`${words.verb} ${named} (${filterWords(filter)})?`, `${words.verb} ${number(matched)}`, more)))
      return undefined;
    return run(words, matched, (report) =>
      carryOut(act, { filter, before, most: matched, perSecond }, report, () => isStopped),
    );
  }

  async function actOnTicked(act) {
    const words = ACT_WORDS[act],
      ids = [...ticked()];
    line.clear();
    if (!ids.length) return line.report("No dead letter is ticked.");
    const named = counted(ids.length, "ticked dead letter");
    if (
      !(await ask(`${words.verb} ${named}?`, `${words.verb} ${number(ids.length)}`, [
        el("p", {}, "Only the ticked ones."),
      ]))
    )
      return undefined;
    return run(words, ids.length, (report) => actOnEach(act, ids, report));
  }

  async function actOnEach(act, ids, report) {
    let done = 0,
      refused = null;
    for (const [index, id] of ids.entries()) {
      if (isStopped) break;
      try {
        await call(act === "redrive" ? "POST" : "DELETE", `dead-letters/${id}${act === "redrive" ? "/redrive" : ""}`);
        done += 1;
      } catch (error) {
        // A refusal that concerns this letter alone does not stop the others; any other fault does.
        if (![404, 409, 422].includes(error.status)) throw error;
        refused = error;
      }
      report(index + 1, done);
    }
    if (refused) line.fail(refused);
    return done;
  }

  async function run(words, total, act) {
    isStopped = false;
    show(progress, true);
    show(stop, true);
    let done = 0;
    const report = (taken, sofar) => {
      done = sofar;
      bar.update({ done: taken, total, isGrowing: false, isOver: taken >= total }, total - taken);
    };
    report(0, 0);
    try {
      done = await act(report);
      line.report(`${words.past} ${number(done)} of ${counted(total, "dead letter")}.`);
    } catch (error) {
      line.fail(new Fault(`${words.past} ${number(done)} of ${number(total)}, then: ${error.message}`));
    } finally {
      show(stop, false);
      changed();
    }
  }

  const node = el(
    "div",
    {},
    el("div", { class: "buttons" }, buttons.redrive, buttons.settle, many("redrive"), many("settle")),
    el("div", { class: "rates" }, field("Redrives per second", rate), field("At most", most, "(empty: all)")),
    counting,
    progress,
    line.node,
  );
  return {
    node,
    update(count) {
      for (const [act, button] of Object.entries(buttons))
        put(button, count ? `${ACT_WORDS[act].verb} ${number(count)} ticked` : `${ACT_WORDS[act].verb} ticked`);
    },
  };
}
