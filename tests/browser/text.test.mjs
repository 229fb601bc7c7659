// The pure parts of the page: values in, text out.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const folder = new URL("../../shared/api/page/", import.meta.url);
const source = ["text.js", "verdict.js", "request.js"]
  .map((name) => readFileSync(new URL(name, folder), "utf8"))
  .join("\n");
const names = [...source.matchAll(/^(?:function|const) (\w+)/gm)].map((found) => found[1]);
const page = vm.runInThisContext(`(() => { ${source}\nreturn { ${names.join(", ")} }; })()`);
const queue = (name, depth = 0, oldestAgeSeconds = null) => ({ name, depth, oldestAgeSeconds });
const summary = (change = {}) => ({
  queues: [queue("in"), queue("in-poison"), queue("out")],
  deadLetters: { total: 0, byReason: [], counted: "all" },
  cleanUps: { running: 0 },
  sweeps: [],
  ...change,
});
const well = { checks: { storage: "ok" } };

test("an age is shown in its two largest units", () => {
  const shown = [0, 59, 60, 3599, 3600, 7500, 90000, 86400 * 3].map(page.duration);
  assert.deepEqual(shown, ["0 s", "59 s", "1 min", "59 min", "1 h", "2 h 5 min", "1 d 1 h", "3 d"]);
});

test("an exact time is in UTC with its Z, a relative one counts from the time given", () => {
  assert.equal(page.exactTime("2026-11-24T08:00:01.123Z"), "2026-11-24 08:00:01Z");
  const now = Date.parse("2026-11-24T09:00:01Z");
  assert.equal(page.relativeTime("2026-11-24T08:00:01Z", now), "1 h ago");
  assert.equal(page.relativeTime("2026-11-24T10:00:01Z", now), "in 1 h");
  assert.equal(page.relativeTime("no time", now), "");
});

test("what cannot be seen is shown by its code, all else as it is", () => {
  assert.equal(
    page.escaped("a<b>\u0000\u001b\u007f\u0085\u202e\u2066\ufeff\ud800z"),
    "a<b>\\u0000\\u001b\\u007f\\u0085\\u202e\\u2066\\ufeff\\ud800z",
  );
  assert.equal(page.escaped("Grüße 😀\n\tzwei"), "Grüße 😀\n\tzwei");
});

test("a fragment is read as it is written", () => {
  const params = { reason: "a b&c=d?#", id: "1" };
  assert.deepEqual(page.parseRoute(page.routeTo("dead-letters", params)), { part: "dead-letters", params });
  assert.equal(page.routeTo("find", { id: "", kind: undefined }), "#find");
  assert.equal(page.parseRoute("").part, "first-look");
});

test("a dry run is looked for among dry runs, and where real ones and dry runs have one space of ids", () => {
  const kinds = { request: { hasDryRuns: true }, sweep: {} };
  const places = (kind, dryRun) => page.placesToLook(kinds, kind, dryRun).map((place) => place.filter(Boolean).join(" "));
  assert.deepEqual(places("", undefined), ["request", "sweep", "request true"]);
  assert.deepEqual(places("", "true"), ["request true", "sweep"]);
  assert.deepEqual(places("sweep", "true"), ["sweep"]);
  assert.deepEqual(places("request", "false"), ["request"]);
});

test("a filter is shown in words", () => {
  assert.equal(page.filterWords({ reason: "ServerBusy", jobId: "render" }), "reason ServerBusy, job render");
  assert.equal(page.filterWords({}), "no filter, so all of them");
});

test("rate and time left come from the last minute", () => {
  const samples = [0, 30, 60, 90].reduce((kept, at) => page.withSample(kept, at, at * 2), []);
  assert.equal(samples[0][0], 30);
  assert.deepEqual(page.rateOf(samples, 100), { rate: 2, left: 50 });
  assert.equal(page.rateWords(page.rateOf(samples, 100)), "2.0/s, about 50 s left");
  assert.equal(
    page.rateOf(
      [
        [0, 5],
        [10, 5],
      ],
      100,
    ),
    null,
  );
});

test("a clean-up grows while it lists, and is over when nothing is open", () => {
  const over = { state: "listed", requested: 3, done: { deleted: 2, notFound: 1 }, open: 0 };
  assert.deepEqual(page.progressOf(over), { done: 3, total: 3, isGrowing: false, isOver: true });
  assert.equal(page.progressOf({ ...over, state: "listing" }).isOver, false);
  assert.equal(page.progressOf({ ...over, done: {}, open: 3 }).isOver, false);
});

test("only policies that delete count in the progress of a sweep", () => {
  const policies = [
    { name: "a", requested: 3, dryRun: false },
    { name: "b", requested: 4, dryRun: true },
  ];
  const over = { state: "done", policies, done: { deleted: 3 }, open: 0 };
  assert.deepEqual(page.progressOf(over), { done: 3, total: 3, isGrowing: false, isOver: true });
  assert.equal(page.onlyCounted(over), 4);
  assert.equal(page.onlyCounted({ requested: 3 }), 0);
});

test("the verdict is well, names what needs attention, or names what fails", () => {
  const verdict = (health, numbers) => page.verdictOf(health, numbers).words;
  assert.equal(verdict(well, summary()), "All is well");
  assert.equal(verdict({ checks: { storage: "down", identity: "ok" } }, null), "Failing: storage");
  assert.equal(verdict(null, null), "Not known yet");
  const letters = { total: 2, byReason: [], counted: "all" };
  assert.equal(
    verdict(well, summary({ deadLetters: letters, queues: [queue("in", 9, 7200), queue("in-poison", 1)] })),
    "Working, but needs attention: 2 dead letters, the oldest message on in is 2 h old, 1 on in-poison",
  );
  const many = { total: null, byReason: [{ reason: "A", count: 1000 }], counted: "the newest 1,000" };
  assert.equal(verdict(well, summary({ deadLetters: many })), "Working, but needs attention: over 1,000 dead letters");
  assert.equal(verdict(well, summary({ queues: [queue("out", 5, 90000)] })), "All is well");
});

test("the verdict is the same while only numbers differ", () => {
  const kind = (total) => page.verdictOf(well, summary({ deadLetters: { total, byReason: [], counted: "all" } })).kind;
  assert.equal(kind(2), kind(3));
  assert.notEqual(kind(0), kind(1));
});

test("a plot of many points keeps its first and its last", () => {
  let points = [];
  for (let at = 0; at < 3000; at += 1) points = page.withPoint(points, [at, at % 7]);
  assert.ok(points.length <= page.MOST_POINTS);
  assert.deepEqual([points[0][0], points[points.length - 1][0]], [0, 2999]);
  assert.match(
    page.plotPath(
      [
        [0, 0],
        [10, 5],
      ],
      100,
      20,
    ),
    /^M0\.0 19\.0L100\.0 1\.0$/,
  );
});

test("a number that an act is bounded by is a whole number in its range, or the field is named", () => {
  assert.equal(page.wholeNumber("At most", " 7 ", 1, 1000), 7);
  for (const text of ["", "0", "-3", "1.5", "99999", "1e3", "all", "٣"])
    assert.throws(() => page.wholeNumber("At most", text, 1, 1000), /^Error: At most: must be a whole number from 1 to 1,000/);
});

test("redriven letters are told apart from those that wait for a person", () => {
  assert.deepEqual([0, 1, 1200, null].map(page.redrivenWords), [
    "",
    "1 more was redriven",
    "1,200 more were redriven",
    "over 1,000 more were redriven",
  ]);
});

test("refusals are told with their number, each reason once", () => {
  assert.equal(page.refusalWords([]), "");
  assert.equal(page.refusalWords(["409 A: no.", "404 B: none.", "409 A: no."]), "2 refused: 409 A: no. 1 refused: 404 B: none.");
});

test("the form copies every valid field of a dead letter", () => {
  const body = {
    clientRequestId: "x",
    jobId: "j",
    taskId: "t",
    ifMatch: "e",
    timeout: 30,
    metadata: { a: "b" },
    ifmatch: "y",
    dryRun: true,
  };
  const found = page.requestFromLetter({ body: JSON.stringify(body), bodyEncoding: "utf-8" });
  assert.deepEqual(found, {
    fields: { jobId: "j", taskId: "t", ifMatch: "e", timeout: "30" },
    metadata: '{"a":"b"}',
    dryRun: true,
    left: ["ifmatch"],
  });
  const unread = page.requestFromLetter({ body: "no JSON", bodyEncoding: "utf-8", jobId: "j", taskId: "t" });
  assert.deepEqual(unread.fields, { jobId: "j", taskId: "t" });
});

test("the form sends what is filled in, and names a field that cannot be sent", () => {
  const asked = page.requestOf("id", { jobId: "j", taskId: "t", timeout: "30", ifMatch: "" }, '{"a": "b"}', false);
  assert.deepEqual(asked, { clientRequestId: "id", jobId: "j", taskId: "t", timeout: 30, metadata: { a: "b" } });
  assert.throws(() => page.requestOf("id", { timeout: "3x" }, "", false), /timeout/);
  assert.throws(() => page.requestOf("id", {}, "{", false), /metadata/);
});
