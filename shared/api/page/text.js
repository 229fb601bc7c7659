// Pure: values in, text out. Nothing here touches the document, so node's test runner can run it.

const MINUTE = 60,
  HOUR = 3600,
  DAY = 86400;

/** A whole number with thousands separators; a dash for anything else. */
function number(value) {
  return typeof value === "number" ? value.toLocaleString("en-US") : "–";
}

/** "1 dead letter", "2 dead letters". */
function counted(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** The number in a field. Throws an Error that names the field if it is not a whole number in that range. */
function wholeNumber(label, text, least, most) {
  const said = text.trim(),
    found = /^[0-9]{1,12}$/.test(said) ? Number(said) : NaN;
  if (!(found >= least && found <= most))
    throw new Error(`${label}: must be a whole number from ${number(least)} to ${number(most)}`);
  return found;
}

/** Why some acts were refused: each reason once, with its number. */
function refusalWords(reasons) {
  const counts = new Map();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) || 0) + 1);
  return [...counts].map(([reason, count]) => `${number(count)} refused: ${reason}`).join(" ");
}

/** How many dead letters were redriven; null stands for more than the app counts. */
function redrivenWords(count) {
  if (count === null) return "over 1,000 more were redriven";
  return count ? `${number(count)} more ${count === 1 ? "was" : "were"} redriven` : "";
}

/** Seconds in the two largest units that apply: "2 h 5 min". */
function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const units = [
    [DAY, "d"],
    [HOUR, "h"],
    [MINUTE, "min"],
    [1, "s"],
  ];
  const first = units.findIndex(([size]) => whole >= size);
  if (first < 0) return "0 s";
  const [size, name] = units[first];
  const parts = [`${Math.floor(whole / size)} ${name}`];
  const next = units[first + 1];
  if (next && first < 2) {
    const rest = Math.floor((whole % size) / next[0]);
    if (rest) parts.push(`${rest} ${next[1]}`);
  }
  return parts.join(" ");
}

/** One of the API's times in UTC, to the second, with its `Z`. */
function exactTime(text) {
  const time = new Date(text);
  return Number.isNaN(time.getTime()) ? escaped(text) : `${time.toISOString().slice(0, 19).replace("T", " ")}Z`;
}

/** How far a time is from `now` (milliseconds, by the app's clock). */
function relativeTime(text, now) {
  const seconds = (now - new Date(text).getTime()) / 1000;
  if (Number.isNaN(seconds)) return "";
  if (Math.abs(seconds) < 5) return "just now";
  return seconds < 0 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

// Control characters except line feed and tab, direction overrides, zero-width characters: all could mislead a reader.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/;

function codeOf(character) {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Splits a text into pieces that can be shown as they are and pieces that are shown by their codes. */
function visiblePieces(text) {
  const pieces = [];
  for (const character of String(text)) {
    const isUnseen = character.length === 1 && UNSEEN.test(character);
    const last = pieces[pieces.length - 1];
    if (last && last.isUnseen === isUnseen) last.text += isUnseen ? codeOf(character) : character;
    else pieces.push({ isUnseen, text: isUnseen ? codeOf(character) : character });
  }
  return pieces;
}

/** The same as a single string, where elements cannot be used. */
function escaped(text) {
  return visiblePieces(text)
    .map((piece) => piece.text)
    .join("");
}

/** Splits an address's fragment into the part of the page and its parameters. */
function parseRoute(hash) {
  const [part, query = ""] = hash.replace(/^#/, "").split(/\?(.*)/s);
  return { part: part || "first-look", params: Object.fromEntries(new URLSearchParams(query)) };
}

/** The fragment for a part of the page; empty parameters are left out. */
function routeTo(part, params = {}) {
  const said = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return `#${part}${said.length ? `?${new URLSearchParams(said)}` : ""}`;
}

/**
 * Where to look up an id, in order: real ones before dry runs, unless a dry run is asked for. Kinds without `hasDryRuns`
 * keep all of their ids together.
 */
function placesToLook(kinds, kind, dryRun) {
  const names = kind in kinds ? [kind] : Object.keys(kinds);
  const real = names.map((name) => [name, undefined]),
    dryRuns = names.filter((name) => kinds[name].hasDryRuns).map((name) => [name, "true"]);
  if (dryRun === "true") return [...dryRuns, ...real.filter(([name]) => !kinds[name].hasDryRuns)];
  return dryRun === undefined ? [...real, ...dryRuns] : real;
}

const FILTERS = ["reason", "outcome", "jobId", "queue", "since", "before"];
const FILTER_WORDS = {
  reason: "reason",
  outcome: "outcome",
  jobId: "job",
  queue: "queue",
  since: "since",
  before: "before",
};

/** The parameters of a route that the API accepts as filters of dead letters. */
function filterOf(params) {
  return Object.fromEntries(FILTERS.filter((name) => params[name]).map((name) => [name, params[name]]));
}

/** A filter in words, for the question. */
function filterWords(filter) {
  const said = FILTERS.filter((name) => filter[name]).map((name) => `${FILTER_WORDS[name]} ${escaped(filter[name])}`);
  return said.length ? said.join(", ") : "no filter, so all of them";
}

function sum(counts) {
  return Object.values(counts || {}).reduce((total, count) => total + count, 0);
}

/** The tasks that a sweep's policies selected: of those that delete, or of those that only count. */
function selectedBy(document, isDryRun) {
  const policies = (document.policies || []).filter((one) => Boolean(one.dryRun) === isDryRun);
  return sum(policies.map((one) => one.requested));
}

/** The tasks that the dry-run policies of a sweep selected: these make no requests, so none of them is ever done. */
function onlyCounted(document) {
  return selectedBy(document, true);
}

/** The progress of a clean-up or a sweep. `total` may still grow while `isGrowing`. */
function progressOf(document) {
  const requested = document.requested ?? selectedBy(document, false);
  const done = sum(document.done);
  const isGrowing = ["waiting", "listing", "running"].includes(document.state);
  const isOver = !isGrowing && !(document.open > 0);
  return { done, total: Math.max(requested, done), isGrowing, isOver };
}

const RATE_WINDOW = 60;

/** Adds a sample `[seconds, done]` and drops those older than a minute. */
function withSample(samples, seconds, done) {
  return [...samples, [seconds, done]].filter(([at]) => at >= seconds - RATE_WINDOW);
}

/** Rate per second and seconds left, from the samples; null while they show no progress. */
function rateOf(samples, open) {
  if (samples.length < 2) return null;
  const [from, before] = samples[0],
    [to, now] = samples[samples.length - 1];
  const rate = (now - before) / (to - from);
  return to > from && rate > 0 ? { rate, left: open / rate } : null;
}

function rateWords(found) {
  if (!found) return "";
  const rate = found.rate >= 10 ? number(Math.round(found.rate)) : found.rate.toFixed(1);
  return `${rate}/s, about ${duration(found.left)} left`;
}

/** An SVG path for points `[x, y]` in a box, with y = 0 at the bottom. */
function plotPath(points, width, height) {
  if (!points.length) return "";
  const from = points[0][0],
    span = Math.max(1, points[points.length - 1][0] - from);
  const top = Math.max(1, ...points.map(([, y]) => y));
  const place = ([x, y]) =>
    `${(((x - from) / span) * width).toFixed(1)} ${(height - 1 - (y / top) * (height - 2)).toFixed(1)}`;
  return `M${points.map(place).join("L")}${points.length === 1 ? `L${width} ${place(points[0]).split(" ")[1]}` : ""}`;
}

const MOST_POINTS = 720;

/** Adds a point. Above the limit, the older half is thinned to every second point. */
function withPoint(points, point) {
  const all = [...points, point];
  if (all.length <= MOST_POINTS) return all;
  const half = MOST_POINTS / 2;
  return [...all.slice(0, half).filter((_, index) => index % 2 === 0), ...all.slice(half)];
}

/** Lines `name: value` for a ticket; empty values are left out. */
function ticketText(pairs) {
  return pairs
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => `${name}: ${escaped(value)}`)
    .join("\n");
}
