// @azure/batch deleting through the app: the app's address is the account, its key the credential.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { BatchServiceClient } from "@azure/batch";
import { key, seed, url } from "./stack.js";

const withKey = {
  signRequest: async (request: any) => {
    request.headers.set("x-functions-key", key);
    return request;
  },
};
const batch = new BatchServiceClient(withKey, url, { noRetryPolicy: true });
// The account's URL may have no path: the client would lose its own. The path goes into the pattern of its addresses.
batch["baseUri"] = "{batchUrl}/api";

const job = `sdk-${randomUUID().slice(0, 8)}`;
await seed(job, 3);
const clientRequestId = randomUUID();
const taskDeleteMethodOptions = { clientRequestId, returnClientRequestId: true };
const deleted = await batch.task.deleteMethod(job, "task-0", { taskDeleteMethodOptions });
assert.equal(deleted._response.status, 200);
assert.equal(deleted.clientRequestId, clientRequestId);
assert.ok(deleted.requestId);

// Batch's own error, as the SDK reads it from Batch.
await assert.rejects(batch.task.deleteMethod(job, "task-0"), (error: any) => {
  assert.equal(error.statusCode, 404);
  assert.equal(error.body.code, "TaskNotFound");
  return true;
});

// A condition that does not hold.
await assert.rejects(
  batch.task.deleteMethod(job, "task-1", { taskDeleteMethodOptions: { ifMatch: '"0x1"' } }),
  (error: any) => error.statusCode === 412 && error.body.code === "ConditionNotMet",
);
