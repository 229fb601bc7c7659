// What a person does: the question before an act, announcements for a screen reader, and the text for a ticket.

const appName = location.host;
let version = "";

/** Announces something to a screen reader: only a changed verdict, the end of an act, or a fault. */
function say(words) {
  const spoken = byId("spoken");
  // A screen reader does not repeat an unchanged text.
  spoken.textContent = spoken.textContent === words ? `${words}\u00a0` : words;
}

/** Asks for confirmation: true if the person wants the act. `more` are elements with details. */
function ask(title, act, more = []) {
  const dialog = byId("question");
  if (dialog.open) return Promise.resolve(false);
  put(byId("question-title"), title);
  put(byId("question-app"), `In the app ${appName}.`);
  byId("question-more").replaceChildren(...more);
  put(byId("question-act"), act);
  return new Promise((resolve) => {
    const answer = (isWanted) => (event) => {
      if (event.detail > 1) return;
      dialog.isWanted = isWanted;
      dialog.close();
      ignoreSecondClick();
    };
    dialog.isWanted = false;
    byId("question-act").onclick = answer(true);
    byId("question-cancel").onclick = answer(false);
    dialog.onclose = () => resolve(dialog.isWanted);
    dialog.showModal();
    byId("question-cancel").focus();
  });
}

/** The second click of a double click lands on the page behind the closed question, where it must do nothing. */
function ignoreSecondClick() {
  const ignore = (event) => {
    if (event.detail > 1) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  document.addEventListener("click", ignore, { capture: true, once: true });
}

async function copyText(text, announcement) {
  try {
    await navigator.clipboard.writeText(text);
    say(announcement);
  } catch {
    // Outside a secure context there is no clipboard API: show the text, selected, so that it can be copied by hand.
    const box = el("textarea", { rows: "8", readonly: true, "aria-label": "Text to copy" });
    box.value = text;
    const shown = ask("Copy this text", "Done", [box]);
    box.select();
    await shown;
  }
}

/** The text for a ticket. It contains no body and no key. */
function ticket(pairs, fragment) {
  const link = `${location.origin}${location.pathname}${fragment}`;
  const now = new Date(appNow()).toISOString();
  return ticketText([["app", appName], ["version", version], ["time", exactTime(now)], ...pairs, ["link", link]]);
}

function ticketButton(pairsOf, fragmentOf) {
  return actButton("Copy for a ticket", () => copyText(ticket(pairsOf(), fragmentOf()), "Copied for a ticket"));
}

function errorLine(error) {
  return error ? `${error.code}: ${error.message?.value ?? ""}` : "";
}

/** A line that reports how an act ended, or why the API refused it, in the API's words. */
function outcomeLine() {
  const words = el("p"),
    details = errorCell();
  const node = el("div", { hidden: true }, words, details.node);
  details.update(null);
  return {
    node,
    clear() {
      show(node, false);
    },
    report(text) {
      node.className = "note";
      show(node, true);
      putVisible(words, text);
      details.update(null);
      say(escaped(text));
    },
    fail(fault) {
      node.className = "fault";
      show(node, true);
      putVisible(words, fault.error ? `The app answered ${fault.status}.` : fault.message);
      details.update(fault.error);
      say(escaped(fault.message));
    },
  };
}

/** Runs an act. A fault is shown in the line, and undefined is returned. */
async function attempt(line, act) {
  try {
    return await act();
  } catch (error) {
    line.fail(error);
    return undefined;
  }
}

function newId() {
  // randomUUID exists in secure contexts only.
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** A progress bar with rate and time left: `update({done, total, isGrowing, isOver}, open, words)`. */
function progressView(label) {
  const bar = el("progress", { "aria-label": label, max: "1" }),
    words = el("span");
  const node = el("div", {}, bar, " ", words);
  let samples = [];
  return {
    node,
    update(progress, open, extra = "") {
      samples = withSample(samples, performance.now() / 1000, progress.done);
      const isKnown = progress.total > 0 || progress.isOver;
      if (isKnown) {
        bar.max = Math.max(1, progress.total);
        bar.value = progress.total ? progress.done : 1;
      } else {
        bar.removeAttribute("value");
      }
      const rate = progress.isOver ? "" : rateWords(rateOf(samples, open));
      const parts = [
        `${number(progress.done)} of ${number(progress.total)}${progress.isGrowing ? " so far" : ""}`,
        rate,
        extra,
      ];
      put(words, parts.filter(Boolean).join(" · "));
    },
  };
}
