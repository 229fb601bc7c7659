// A client of openapi-typescript and openapi-fetch: types alone, strict.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import createClient from "openapi-fetch";
import type { components, paths, webhooks } from "../generated/schema.js";
import { breakDown, eventually, key, seed, url } from "./stack.js";

type Schemas = components["schemas"];
/** Whatever lies on the result queue; `type` tells one from another. */
type Result = webhooks["result"]["post"]["requestBody"]["content"]["application/json"];

const client = createClient<paths>({ baseUrl: `${url}/api`, headers: { "x-functions-key": key } });
const job = `ts-${randomUUID().slice(0, 8)}`;

async function ended(clientRequestId: string): Promise<Schemas["Result"]> {
  return eventually(`the end of ${clientRequestId}`, async () => {
    const { data } = await client.GET("/task-deletions/{clientRequestId}", { params: { path: { clientRequestId } } });
    return data?.result;
  });
}

function told(result: Result): string {
  switch (result.type) {
    case "batch.task-deletion.done":
      return result.data.outcome;
    case "batch.job-cleanup.listed":
      return `${result.data.requested} requested`;
    default:
      return result.type;
  }
}

// The smallest request: three fields.
await seed(job, 6);
const clientRequestId = randomUUID();
const request: Schemas["DeletionRequest"] = { clientRequestId, jobId: job, taskId: "task-0" };
const posted = await client.POST("/task-deletions", { body: request });
assert.equal(posted.response.status, 202);
assert.equal(posted.response.headers.get("location"), `/api/task-deletions/${clientRequestId}`);
assert.equal(posted.response.headers.get("client-request-id"), clientRequestId);
assert.equal(told(await ended(clientRequestId)), "deleted");
const again = await client.POST("/task-deletions", { body: request });
assert.equal(again.response.status, 200);
assert.equal(again.response.headers.get("idempotency-replayed"), "true");

// Many in one body; the answer has items.
const many = await client.POST("/task-deletions", {
  body: { clientRequestId: randomUUID(), jobId: job, taskIds: ["task-1", "not a task"] },
});
const accepted: Schemas["TaskDeletionsAccepted"] | undefined = many.data;
assert.deepEqual(accepted?.counts, { accepted: 1, replayed: 0, conflict: 0, invalid: 1 });
assert.equal(accepted?.items?.[1]?.error?.values[0]?.key, "/taskIds/1");

// Errors have a type: a 400, a 404, a 422, and a bulk call of which nothing is valid.
const wrong = await client.POST("/task-deletions", { body: { ...request, jobId: "no job" } });
assert.equal(wrong.error?.values[0]?.key, "/jobId");
const allWrong = await client.POST("/task-deletions", { body: { requests: [{ ...request, taskId: "" }] } });
assert.ok(allWrong.error && "counts" in allWrong.error);
assert.equal(allWrong.error.counts?.invalid, 1);
const unknown = await client.GET("/task-deletions/{clientRequestId}", {
  params: { path: { clientRequestId: randomUUID() } },
});
assert.equal(unknown.error?.code, "TaskDeletionNotFound");
const conflict = await client.POST("/task-deletions", { body: { ...request, taskId: "task-2" } });
assert.equal(conflict.response.status, 422);
assert.equal(conflict.error?.code, "ClientRequestIdConflict");

// The synchronous call: 200 without content, and Batch's own error.
const path = { jobId: job, taskId: "task-2" };
const deleted = await client.DELETE("/jobs/{jobId}/tasks/{taskId}", { params: { path } });
assert.equal(deleted.response.status, 200);
assert.equal(deleted.data, undefined);
const gone = await client.DELETE("/jobs/{jobId}/tasks/{taskId}", { params: { path } });
assert.equal(gone.error?.code, "TaskNotFound");

// A clean-up, and its cancellation before it begins.
const event = await client.POST("/job-completions", {
  body: { clientRequestId: randomUUID(), jobId: job, deleteAfter: { succeeded: "PT1H", failed: "PT1H" } },
});
const eventId = event.data && "eventId" in event.data ? event.data.eventId : undefined;
assert.ok(eventId);
const progress = await eventually("the listing", async () => {
  const { data } = await client.GET("/job-completions/{id}", { params: { path: { id: eventId } } });
  return data?.state === "listed" ? data : undefined;
});
assert.ok(progress.requested >= 3);
const cancelled = await client.DELETE("/job-completions/{id}", { params: { path: { id: eventId } } });
assert.equal(cancelled.response.status, 202);
const listed = await client.GET("/job-completions", { params: { query: { top: 5 } } });
assert.ok(listed.data?.value.some((one) => one.eventId === eventId));

// A dead letter: looked at, redriven, settled.
await breakDown({ task: "task-3", job, status: 409, code: "TaskIsLocked", times: 1 });
const failing = randomUUID();
await client.POST("/task-deletions", { body: { clientRequestId: failing, jobId: job, taskId: "task-3" } });
assert.equal(told(await ended(failing)), "failed");
const letters = await client.GET("/dead-letters", { params: { query: { jobId: job, outcome: "failed" } } });
const letter = letters.data?.value[0];
assert.ok(letter);
assert.equal(letter.clientRequestId, failing);
const whole = await client.GET("/dead-letters/{id}", { params: { path: { id: letter.id } } });
assert.equal(whole.data?.bodyEncoding, "utf-8");
const preview = await client.POST("/dead-letters/redrive", { body: { jobId: job, dryRun: true } });
assert.equal(preview.data?.matched, 1);
const redriven = await client.POST("/dead-letters/{id}/redrive", { params: { path: { id: letter.id } } });
assert.equal(redriven.data?.redriven, true);
const twice = await client.POST("/dead-letters/{id}/redrive", { params: { path: { id: letter.id } } });
assert.equal(twice.error?.code, "AlreadyRedriven");
const settled = await client.DELETE("/dead-letters/{id}", { params: { path: { id: letter.id } } });
assert.equal(settled.response.status, 204);

// A dry run of a sweep.
const policies = await client.GET("/retention-policies");
assert.deepEqual(policies.data?.policies[0]?.deleteAfterSeconds, { succeeded: 0, failed: 0 });
await seed(`swept-${job}`, 2);
const begun = await client.POST("/retention-sweeps", { body: { policy: "swept", dryRun: true } });
const sweepId = begun.data?.sweepId;
assert.ok(sweepId, JSON.stringify(begun.error));
const sweep = await eventually("the end of the sweep", async () => {
  const { data } = await client.GET("/retention-sweeps/{id}", { params: { path: { id: sweepId } } });
  return data?.state === "done" ? data : undefined;
});
assert.ok(sweep.policies[0]?.sample.includes(`jobs/swept-${job}/tasks/task-0`));
const noPolicy = await client.POST("/retention-sweeps", { body: { policy: "unknown" } });
assert.equal(noPolicy.error?.code, "PolicyNotFound");

// The app itself; health needs no key.
const health = await createClient<paths>({ baseUrl: `${url}/api` }).GET("/health");
assert.equal(health.data?.status, "ok");
const summary = await client.GET("/operations/summary");
assert.ok(summary.data && summary.data.queues.length > 0);
