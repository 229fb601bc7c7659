// Pure: the verdict on the app, from its health and its numbers.

const SLOW_SECONDS = 15 * MINUTE;

/** Whether all is well, in one line: `{level, kind, words, href}`. `kind` stays the same while only numbers change. */
function verdictOf(health, summary) {
  const failing = Object.entries(health?.checks || {}).filter(([, text]) => text !== "ok");
  if (failing.length) {
    const names = failing.map(([name]) => name).join(", ");
    return { level: "bad", kind: `bad ${names}`, words: `Failing: ${names}`, href: routeTo("first-look") };
  }
  if (!summary || !health)
    return { level: "unknown", kind: "unknown", words: "Not known yet", href: routeTo("first-look") };
  const found = troublesOf(summary);
  if (!found.length) return { level: "ok", kind: "ok", words: "All is well", href: routeTo("first-look") };
  const words = `Working, but needs attention: ${found.map((one) => one.words).join(", ")}`;
  return { level: "warn", kind: `warn ${found.map((one) => one.kind).join(" ")}`, words, href: found[0].href };
}

function troublesOf(summary) {
  const found = [],
    letters = summary.deadLetters;
  if (letters.total !== 0) {
    const words =
      letters.total === null
        ? `over ${number(sum(letters.byReason.map((one) => one.count)))} dead letters`
        : counted(letters.total, "dead letter");
    found.push({ kind: "letters", words, href: routeTo("dead-letters") });
  }
  for (const queue of summary.queues) {
    if (queue.name.endsWith("-poison") && queue.depth > 0) {
      found.push({ kind: queue.name, words: `${number(queue.depth)} on ${queue.name}`, href: routeTo("first-look") });
    } else if (queue.oldestAgeSeconds > SLOW_SECONDS && isInput(queue, summary.queues)) {
      found.push({
        kind: queue.name,
        words: `the oldest message on ${queue.name} is ${duration(queue.oldestAgeSeconds)} old`,
        href: routeTo("first-look"),
      });
    }
  }
  for (const sweep of summary.sweeps) {
    if (sweep.state === "failed")
      found.push({
        kind: sweep.sweepId,
        words: "the last sweep failed",
        href: routeTo("find", { id: sweep.sweepId, kind: "sweep" }),
      });
  }
  return found;
}

/** An input queue has a poison queue. The result queue has none: its messages wait for their consumer. */
function isInput(queue, queues) {
  return queues.some((other) => other.name === `${queue.name}-poison`);
}
