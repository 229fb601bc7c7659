// @azure/storage-queue: requests in, results out. The results are base64, which this library leaves as it is.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { QueueServiceClient } from "@azure/storage-queue";
import type { webhooks } from "../generated/schema.js";
import { eventually, seed } from "./stack.js";

type Result = webhooks["result"]["post"]["requestBody"]["content"]["application/json"];

const service = QueueServiceClient.fromConnectionString(process.env["STORAGE"] ?? "");
const requests = service.getQueueClient(process.env["REQUEST_QUEUE_NAME"] ?? "");
const completions = service.getQueueClient(process.env["JOB_COMPLETION_QUEUE_NAME"] ?? "");
const results = service.getQueueClient(process.env["RESULT_QUEUE_NAME"] ?? "");

const seen = new Map<string, Result>();

async function resultOf(what: string, wanted: (result: Result) => boolean): Promise<Result> {
  return eventually(`the result of ${what}`, async () => {
    const { receivedMessageItems } = await results.receiveMessages({ numberOfMessages: 32 });
    for (const message of receivedMessageItems) {
      const result = JSON.parse(Buffer.from(message.messageText, "base64").toString()) as Result;
      seen.set(result.id, result); // a result may come twice: its id is the same
      await results.deleteMessage(message.messageId, message.popReceipt);
    }
    return [...seen.values()].find(wanted);
  });
}

const job = `queue-${randomUUID().slice(0, 8)}`;
await seed(job, 4);

// As JSON, and as base64 of it, as .NET's client and Functions bindings of other apps write it.
for (const [index, encode] of [(text: string) => text, (text: string) => Buffer.from(text).toString("base64")].entries()) {
  const clientRequestId = randomUUID();
  await requests.sendMessage(encode(JSON.stringify({ clientRequestId, jobId: job, taskId: `task-${index}` })));
  const result = await resultOf(
    clientRequestId,
    ({ type, data }) => type === "batch.task-deletion.done" && "clientRequestId" in data && data.clientRequestId === clientRequestId,
  );
  assert.ok(result.type === "batch.task-deletion.done");
  assert.equal(result.data.outcome, "deleted");
  assert.equal(result.data.origin, "queue");
}

// What is no request comes back as one result, with the id of its message.
const { messageId } = await requests.sendMessage("no request");
const rejected = await resultOf(
  "what is no request",
  ({ data }) => "messageId" in data && data.messageId === messageId,
);
assert.ok(rejected.type === "batch.task-deletion.done");
assert.equal(rejected.data.outcome, "rejected");
assert.equal(rejected.data.clientRequestId, null);

// A clean-up by message.
const eventId = randomUUID();
await completions.sendMessage(JSON.stringify({ clientRequestId: eventId, jobId: job }));
const listed = await resultOf(
  "the clean-up",
  ({ type, data }) => type === "batch.job-cleanup.listed" && "eventId" in data && data.eventId === eventId,
);
assert.ok(listed.type === "batch.job-cleanup.listed");
assert.equal(listed.data.requested, 2);
