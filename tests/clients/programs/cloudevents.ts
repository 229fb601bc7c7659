// The CloudEvents SDK for JavaScript, in its three modes; its own transport sends chunks and is not used.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { CloudEvent, HTTP, type Message } from "cloudevents";
import { eventually, key, seed, url } from "./stack.js";

const headers = { "x-functions-key": key };
const batchUrl = "https://account.westeurope.batch.azure.com";

function completed(jobId: string): CloudEvent<object> {
  const type = "Pipeline.JobCompleted";
  return new CloudEvent({ type, source: batchUrl, id: randomUUID(), datacontenttype: "application/json", data: { jobId } });
}

async function send(message: Message): Promise<Response> {
  return fetch(`${url}/api/job-completions`, {
    method: "POST",
    headers: { ...headers, ...(message.headers as Record<string, string>) },
    body: message.body as string,
  });
}

async function isListed(location: string): Promise<void> {
  await eventually(`the listing of ${location}`, async () => {
    const answer = await fetch(url + location, { headers });
    const progress = (await answer.json()) as { state: string };
    return progress.state === "listed" ? progress : undefined;
  });
}

for (const mode of ["structured", "binary"] as const) {
  const job = `ce-${mode}-${randomUUID().slice(0, 8)}`;
  await seed(job, 2);
  const event = completed(job);
  const answer = await send(HTTP[mode](event));
  assert.equal(answer.status, 202, await answer.clone().text());
  await isListed(answer.headers.get("location") ?? "");
  const again = await send(HTTP[mode](event));
  assert.equal(again.headers.get("location"), answer.headers.get("location"), "the same event has the same id");
}

// The SDK reads batches and writes none: a batch is the list of its structured forms.
const jobs = ["one", "two"].map((name) => `ce-batch-${name}-${randomUUID().slice(0, 8)}`);
for (const job of jobs) await seed(job, 1);
const events = jobs.map(completed);
const body = `[${events.map((event) => HTTP.structured(event).body as string).join(",")}]`;
const message = { headers: { "content-type": "application/cloudevents-batch+json" }, body };
assert.equal((HTTP.toEvent(message) as CloudEvent[]).length, 2);
const answer = await send(message);
assert.equal(answer.status, 202, await answer.clone().text());
const { items } = (await answer.json()) as { items: { status: string; location: string }[] };
assert.deepEqual(items.map((item) => item.status), ["accepted", "accepted"]);
for (const item of items) await isListed(item.location);

// A Uint8Array becomes data_base64.
const job = `ce-bytes-${randomUUID().slice(0, 8)}`;
await seed(job, 1);
const data = new TextEncoder().encode(JSON.stringify({ jobId: job }));
const binary = new CloudEvent({ type: "Pipeline.JobCompleted", source: batchUrl, datacontenttype: "application/json", data });
const taken = await send(HTTP.structured(binary));
assert.equal(taken.status, 202, await taken.clone().text());
