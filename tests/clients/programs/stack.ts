// The local stack that a program runs against, and the means to say what was expected.
import assert from "node:assert/strict";

function setting(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set; \`make test-clients\` sets it`);
  return value;
}

export const url = setting("FUNCTION_URL");
export const key = setting("FUNCTION_KEY");
const control = setting("BATCH_CONTROL_URL");

/** Gives the simulated Batch account a job with tasks `task-0`, `task-1` and so on, completed unless told otherwise. */
export async function seed(job: string, count: number, state = "completed"): Promise<void> {
  const jobs = [{ id: job, state: "completed", tasks: { count, prefix: "task-", first: 0, state } }];
  await tell("jobs", jobs);
}

/** Tells the simulated Batch account to fail in some way. */
export async function breakDown(fault: Record<string, unknown>): Promise<void> {
  await tell("faults", fault);
}

async function tell(what: string, value: unknown): Promise<void> {
  const answer = await fetch(`${control}/${what}`, { method: "POST", body: JSON.stringify(value) });
  assert.ok(answer.ok, `${what}: ${answer.status} ${await answer.text()}`);
}

/** Asks until the answer is there; undefined means not yet. */
export async function eventually<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + 120_000;
  while (Date.now() < end) {
    const found = await ask();
    if (found !== undefined) return found;
    await new Promise((wake) => setTimeout(wake, 250));
  }
  throw new Error(`${what} did not come to pass`);
}
