// Pure: the request that the form sends.

const REQUEST_FIELDS = [
  "jobId",
  "taskId",
  "batchUrl",
  "deleteAfter",
  "timeout",
  "ifMatch",
  "ifNoneMatch",
  "ifModifiedSince",
  "ifUnmodifiedSince",
];

/** What the form copies from a dead letter: `{fields, metadata, dryRun, left}`; `left` names what it does not copy. */
function requestFromLetter(letter) {
  const found = { fields: {}, metadata: null, dryRun: Boolean(letter.dryRun), left: [] };
  let body = null;
  try {
    body = letter.bodyEncoding === "utf-8" ? JSON.parse(letter.body) : null;
  } catch {
    /* Not JSON: only the letter's columns can be used. */
  }
  if (!body || typeof body !== "object" || Array.isArray(body)) body = {};
  for (const name of ["jobId", "taskId"]) if (letter[name]) found.fields[name] = letter[name];
  const isOfOneTask = body.taskIds === undefined && body.requests === undefined;
  for (const [name, value] of Object.entries(body)) {
    if (name === "clientRequestId") continue;
    if (name === "dryRun" && typeof value === "boolean") found.dryRun = value;
    else if (name === "metadata" && isOfOneTask && value && typeof value === "object")
      found.metadata = JSON.stringify(value);
    else if (isOfOneTask && REQUEST_FIELDS.includes(name) && ["string", "number"].includes(typeof value))
      found.fields[name] ??= String(value);
    else if (!found.fields[name]) found.left.push(escaped(name));
  }
  return found;
}

/** The request made from the form's fields. Throws an Error that names the field at fault. */
function requestOf(id, fields, metadata, dryRun) {
  const asked = { clientRequestId: id };
  for (const name of REQUEST_FIELDS) if (fields[name]) asked[name] = fields[name];
  if (asked.timeout !== undefined) {
    if (!/^[0-9]{1,10}$/.test(asked.timeout)) throw new Error("timeout: must be a whole number of seconds");
    asked.timeout = Number(asked.timeout);
  }
  if (metadata) {
    try {
      asked.metadata = JSON.parse(metadata);
    } catch {
      throw new Error("metadata: must be a JSON object of strings");
    }
  }
  if (dryRun) asked.dryRun = true;
  return asked;
}
