// Calls to the API: this tab's key and token, and the words for what can go wrong.

const BASE = location.pathname.replace(/\/operations\/?$/, "/");
const READ_SECONDS = 30,
  ACT_SECONDS = 180;

/** A call that failed. `error` is the API's error document, if it sent one. */
class Fault extends Error {
  constructor(words, { status = 0, error = null } = {}) {
    super(words);
    this.status = status;
    this.error = error;
  }
}

// sessionStorage belongs to this tab and survives a reload. A browser that blocks storage throws here.
const stored = (() => {
  try {
    return sessionStorage;
  } catch {
    return null;
  }
})();
const access = {
  key: stored?.getItem("key") ?? "",
  token: stored?.getItem("token") ?? "",
  isChosen: Boolean(stored) && stored.getItem("key") !== null,
  choose(key, token) {
    Object.assign(access, { key, token, isChosen: true });
    stored?.setItem("key", key);
    stored?.setItem("token", token);
  },
};

function headersFor(body) {
  const headers = { accept: "application/json" };
  if (access.key) headers["x-functions-key"] = access.key;
  if (access.token) headers.authorization = `Bearer ${access.token}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  return headers;
}

/** The body of a successful response, or null if it is empty. Throws Fault. */
async function call(method, path, body) {
  const isAct = method !== "GET";
  let answer, text;
  try {
    answer = await fetch(BASE + path, {
      method,
      headers: headersFor(body),
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout((isAct ? ACT_SECONDS : READ_SECONDS) * 1000),
    });
    text = await answer.text();
  } catch (error) {
    throw new Fault(noAnswer(error, isAct));
  }
  const content = parsed(text);
  if (answer.ok || (path === "health" && content?.checks)) return content;
  throw new Fault(refused(answer, content, isAct), { status: answer.status, error: content?.code ? content : null });
}

function noAnswer(error, isAct) {
  const what = error.name === "TimeoutError" ? "The app did not answer in time." : "The app cannot be reached.";
  return isAct ? `${what} It may have acted anyway; check before you repeat this.` : what;
}

function refused(answer, content, isAct) {
  if (answer.status === 401 && /bearer/i.test(answer.headers.get("www-authenticate") || "")) {
    return "401: the platform requires an access token, or rejects this one.";
  }
  if (answer.status === 401) {
    return isAct
      ? "401: this key is read-only, so nothing was done. Use another key."
      : "401: the app rejects this key.";
  }
  if (content?.code) return faultWords(answer.status, content);
  return `The app answered ${answer.status} ${answer.statusText}.`;
}

function faultWords(status, error) {
  const values = (error.values || []).map((one) => `${one.key || "(whole body)"}: ${one.value}`);
  return `${status} ${error.code}: ${error.message?.value ?? ""}${values.length ? ` (${values.join("; ")})` : ""}`;
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function query(params) {
  const said = Object.entries(params).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return said.length ? `?${new URLSearchParams(said)}` : "";
}

// The app's clock, taken from `at` in its summaries. The app caches a summary for a few seconds: only a new one counts.
const clock = { ahead: 0, last: "" };

function appNow() {
  return Date.now() + clock.ahead;
}

function setClock(at) {
  if (at === clock.last) return;
  clock.last = at;
  clock.ahead = new Date(at).getTime() - Date.now();
}
