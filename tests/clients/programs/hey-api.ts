// A client of hey-api: one function for each call.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { client } from "../generated/hey-api/client.gen.js";
import {
  beginRetentionSweep,
  cancelTaskDeletion,
  deleteTask,
  getDeadLetter,
  getHealth,
  getJobCompletion,
  getRetentionSweep,
  getSummary,
  getTaskDeletion,
  listDeadLetters,
  redriveDeadLetters,
  settleDeadLetter,
  settleDeadLetters,
  submitJobCompletion,
  submitTaskDeletion,
} from "../generated/hey-api/index.js";
import { breakDown, eventually, key, seed, url } from "./stack.js";

client.setConfig({ baseUrl: `${url}/api`, auth: key });
const job = `hey-${randomUUID().slice(0, 8)}`;
await seed(job, 6);

async function ended(clientRequestId: string): Promise<string> {
  return eventually(`the end of ${clientRequestId}`, async () => {
    const { data } = await getTaskDeletion({ path: { clientRequestId } });
    return data?.result?.data.outcome;
  });
}

const clientRequestId = randomUUID();
const posted = await submitTaskDeletion({ body: { clientRequestId, jobId: job, taskId: "task-0" } });
assert.equal(posted.data?.clientRequestId, clientRequestId);
assert.equal(posted.response?.headers.get("location"), `/api/task-deletions/${clientRequestId}`);
assert.equal(await ended(clientRequestId), "deleted");

const bulk = await submitTaskDeletion({ body: { clientRequestId: randomUUID(), jobId: job, taskIds: ["task-1"] } });
assert.ok(bulk.data && "counts" in bulk.data);
assert.equal(bulk.data.counts?.accepted, 1);

const later = randomUUID();
await submitTaskDeletion({ body: { clientRequestId: later, jobId: job, taskId: "task-5", deleteAfter: "PT1H" } });
const taken = await cancelTaskDeletion({ path: { clientRequestId: later } });
assert.equal(taken.data?.state, "done");
assert.equal(taken.data?.result?.data.outcome, "cancelled");

const wrong = await submitTaskDeletion({ body: { clientRequestId, jobId: "no job", taskId: "task-0" } });
assert.ok(wrong.error);
assert.equal(wrong.error.values[0]?.key, "/jobId");

const path = { jobId: job, taskId: "task-2" };
const deleted = await deleteTask({ path });
assert.equal(deleted.response?.status, 200);
const gone = await deleteTask({ path, headers: { "if-match": '"1"' } });
assert.ok(gone.error);
assert.equal(gone.error.code, "TaskNotFound");

const event = await submitJobCompletion({
  body: { clientRequestId: randomUUID(), jobId: job, select: "succeeded", dryRun: true },
});
const id = event.data && "eventId" in event.data ? event.data.eventId : undefined;
assert.ok(id);
await eventually("the listing", async () => {
  const { data } = await getJobCompletion({ path: { id }, query: { dryRun: "true" } });
  return data?.state === "listed" ? data : undefined;
});

await breakDown({ task: "task-4", job, status: 409, code: "TaskIsLocked", times: 1 });
const failing = randomUUID();
await submitTaskDeletion({ body: { clientRequestId: failing, jobId: job, taskId: "task-4" } });
assert.equal(await ended(failing), "failed");
const letters = await listDeadLetters({ query: { jobId: job } });
const letter = letters.data?.value[0];
assert.ok(letter);
assert.equal(letter.error?.code, "TaskIsLocked");
const whole = await getDeadLetter({ path: { id: letter.id } });
assert.ok(whole.data?.body?.includes(failing));
const redriven = await redriveDeadLetters({ body: { jobId: job } });
assert.deepEqual(redriven.data?.ids, [letter.id]);
await settleDeadLetter({ path: { id: letter.id } });
const settled = await settleDeadLetters({ body: { jobId: job, dryRun: true } });
assert.equal(settled.data?.matched, 0);

await seed(`swept-${job}`, 1);
const begun = await beginRetentionSweep({ body: { policy: "swept" } });
const sweepId = begun.data?.sweepId;
assert.ok(sweepId, JSON.stringify(begun.error));
const sweep = await eventually("the end of the sweep", async () => {
  const { data } = await getRetentionSweep({ path: { id: sweepId } });
  return data?.state === "done" && data.open === 0 ? data : undefined;
});
assert.ok((sweep.done["deleted"] ?? 0) >= 1);

assert.equal((await getHealth()).data?.status, "ok");
assert.ok((await getSummary()).data?.version);
