// Start-up, routes and refreshes.

const REFRESH_SECONDS = 5;
const PARTS = {
  "first-look": firstLookPart,
  find: findPart,
  "clean-ups": cleanUpsPart,
  "dead-letters": deadLettersPart,
  policies: policiesPart,
  ask: askPart,
};

/** The last numbers received, and when, by the browser's clock. */
const latest = { summary: null, health: null, at: 0, fault: "", isOld: false, verdict: "" };
let current = { name: "", part: null };
let timer = 0,
  round = 0;

function go(fragment) {
  if (location.hash === fragment) route(true);
  else location.hash = fragment;
}

/** Shows the part that the fragment names. A part that only has to open or close something is not rebuilt. */
function route(isAsked = false) {
  if (!access.isChosen) return;
  const { part, params } = parseRoute(location.hash);
  const name = part in PARTS ? part : "first-look";
  for (const link of document.querySelectorAll("#parts a")) {
    if (parseRoute(link.hash).part === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (!isAsked && current.name === name && current.part.takes?.(params)) return;
  const isFirst = !current.part;
  current = { name, part: PARTS[name](params) };
  byId("view").replaceChildren(current.part.node);
  document.title = `${current.part.title} · ${appName} · Batch task deletion`;
  if (!isFirst) {
    scrollTo(0, 0);
    byId("main").focus({ preventScroll: true });
  }
  current.part.update?.();
  refreshNow();
}

/** Fetches the numbers and what the part shows, and schedules the next refresh, while the tab is visible. */
async function refreshNow() {
  clearTimeout(timer);
  if (document.hidden || !access.isChosen) return;
  round += 1;
  const mine = round,
    { part } = current;
  const [numbers, shown] = await Promise.allSettled([look(), refreshPart(part)]);
  // A later round has taken over, for example because another part was opened.
  if (mine !== round) return;
  latest.isOld = numbers.status === "rejected";
  noteFault(numbers.reason ?? shown.reason);
  showVerdict();
  showFreshness();
  renewTimes();
  timer = setTimeout(refreshNow, REFRESH_SECONDS * 1000);
}

/** Like the refreshes, what a part does once at its start waits until the tab is visible. */
async function refreshPart(part) {
  if (!part.isStarted) {
    part.isStarted = true;
    part.start?.();
  }
  await part.refresh();
  part.at = Date.now();
}

async function look() {
  const [summary, health] = await Promise.allSettled([call("GET", "operations/summary"), call("GET", "health")]);
  if (health.status === "fulfilled") latest.health = health.value;
  if (summary.status === "fulfilled") noteSummary(summary.value);
  current.part?.update?.();
  for (const one of [summary, health]) if (one.status === "rejected") throw one.reason;
}

function noteSummary(summary) {
  latest.summary = summary;
  latest.at = Date.now();
  setClock(summary.at);
  version = summary.version;
  put(byId("version"), `Version ${version}`);
  noteDepths(summary);
}

/** Old numbers allow no verdict, unless a health check fails. */
function showVerdict() {
  const found = verdictOf(latest.health, latest.summary),
    node = byId("verdict");
  const verdict =
    latest.isOld && found.level !== "bad"
      ? { ...found, level: "unknown", kind: "old", words: "Unknown: the numbers are old" }
      : found;
  if (!node.firstChild) node.append(el("a", {}));
  mark(node, "data-level", verdict.level);
  mark(node.firstChild, "href", verdict.href);
  put(node.firstChild, `${verdict.words}.`);
  show(node, latest.at > 0 || verdict.level === "bad");
  // The fault has been announced already.
  if (latest.verdict && latest.verdict !== verdict.kind && !latest.fault) say(escaped(verdict.words));
  latest.verdict = verdict.kind;
}

/** A fault is announced once, not at each refresh. */
function noteFault(fault) {
  const node = byId("fault"),
    words = fault?.message ?? "";
  // This key has not worked yet: ask for it again, and show it as it was entered.
  if (fault?.status === 401 && !latest.at && byId("key-panel").hidden) showKeyPanel();
  show(node, Boolean(words));
  if (words) putVisible(node, words);
  if (words && words !== latest.fault) say(escaped(words));
  latest.fault = words;
}

/** The time of the numbers shown, and their age once a refresh is overdue. */
function showFreshness() {
  const node = byId("freshness"),
    at = Math.min(latest.at, current.part?.at ?? latest.at),
    age = (Date.now() - at) / 1000;
  const isOld = at > 0 && (Boolean(latest.fault) || age > 3 * REFRESH_SECONDS);
  show(node, at > 0);
  node.classList.toggle("old", isOld);
  const asOf = exactTime(new Date(at + clock.ahead).toISOString());
  put(byId("as-of"), isOld ? `Out of date: as of ${asOf}, ${duration(age)} ago` : `As of ${asOf}`);
}

function showKeyPanel() {
  show(byId("key-panel"), true);
  put(byId("key-app"), `For the app ${appName}.`);
  byId("key").value = access.key;
  byId("token").value = access.token;
  show(byId("keep-key"), access.isChosen);
  byId("key").focus();
}

function open() {
  show(byId("key-panel"), false);
  show(byId("parts"), true);
  show(byId("change-key"), true);
  route(true);
}

/** A `code` in the address (query or fragment) is the key: it is stored and removed from the address. */
function takeCode() {
  const address = new URL(location.href);
  const { part, params } = parseRoute(address.hash);
  let code = params.code || "";
  for (const [name, value] of [...address.searchParams]) {
    if (name.toLowerCase() !== "code") continue;
    code = code || value;
    address.searchParams.delete(name);
  }
  if (params.code) {
    delete params.code;
    address.hash = routeTo(part, params);
  }
  if (!code) return;
  access.choose(code, access.token);
  history.replaceState(null, "", address);
}

function start() {
  put(byId("app-name"), appName);
  document.title = `${appName} · Batch task deletion`;
  takeCode();
  byId("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    access.choose(
      byId("key").value.trim(),
      byId("token")
        .value.trim()
        .replace(/^bearer\s+/i, ""),
    );
    open();
  });
  byId("change-key").addEventListener("click", showKeyPanel);
  byId("keep-key").addEventListener("click", () => show(byId("key-panel"), false));
  byId("skip").addEventListener("click", (event) => {
    // The fragment is the route.
    event.preventDefault();
    byId("main").focus();
  });
  window.addEventListener("hashchange", () => route());
  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : refreshNow()));
  setInterval(() => {
    if (!document.hidden && latest.at) showFreshness();
  }, 1000);
  if (access.isChosen) open();
  else showKeyPanel();
}

start();
