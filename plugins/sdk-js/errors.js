// The error type of a step, and how what the host refuses becomes one.

/** A failure that will be the same next time: bad input, a broken rule, a missing grant. */
export class StepError extends Error {
  constructor(code, message, options = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "StepError";
    this.code = code;
    this.retryable = Boolean(options.retryable);
    this.retryAfterMs = options.retryAfterMs;
    this.extra = options.extra ?? {};
  }
}

/** A failure that may be gone next time: a busy server, a conflict. */
export class RetryableError extends StepError {
  constructor(code, message, options = {}) {
    super(code, message, { ...options, retryable: true });
    this.name = "RetryableError";
  }
}

// Per interface and case of the contract: the code, whether it may be gone next time, and a text where the case has none.
// The codes are those of every SDK.
const HOST = {
  artifacts: {
    "not-found": ["artifact-not-found", false, "the artifact does not exist"],
    denied: ["denied"],
    "quota-exceeded": ["quota-exceeded"],
    io: ["artifact-io", true],
  },
  state: {
    denied: ["denied"],
    conflict: ["state-conflict", true, "the state changed meanwhile"],
    "quota-exceeded": ["quota-exceeded"],
    storage: ["state-storage", true],
  },
  outbox: { denied: ["denied"], "bad-request": ["bad-request"], "quota-exceeded": ["quota-exceeded"] },
  inference: {
    "model-not-found": ["model-not-found"],
    denied: ["denied"],
    "bad-tensor": ["bad-tensor"],
    "resource-exhausted": ["resource-exhausted", true],
    timeout: ["model-timeout", true, "the model did not answer in time"],
    runtime: ["model-failed"],
  },
  http: {
    denied: ["denied"],
    "bad-request": ["bad-request"],
    dns: ["http-dns", true],
    connect: ["http-connect", true],
    tls: ["http-tls"],
    timeout: ["http-timeout", true, "the server did not answer in time"],
    "too-large": ["http-too-large"],
    protocol: ["http-protocol", true],
  },
  secrets: { denied: ["denied"], unavailable: ["secret-unavailable", true] },
};

/** Calls the host; what it refuses is thrown as a StepError. `what` says what was being done. */
export function host(area, call, what = "") {
  try {
    return call();
  } catch (thrown) {
    // One engine throws the case itself, the other an error that carries it.
    const refused = thrown?.payload ?? thrown;
    const known = HOST[area][refused?.tag];
    if (known === undefined) throw thrown;
    const [code, retryable, text] = known;
    const message = refused.val ?? text;
    throw new StepError(code, what ? `${what}: ${message}` : message, { retryable, cause: thrown });
  }
}

// What is kept of a stack: its newest frames.
const STACK_BYTES = 2000;

/** Any thrown value as the contract's `step-error`. */
export function toStepError(thrown) {
  const pairs = (extra) => Object.entries(extra ?? {}).map(([key, value]) => [key, String(value)]);
  if (thrown instanceof StepError) {
    const wait = thrown.retryAfterMs;
    return {
      kind: thrown.retryable ? "retryable" : "fatal",
      code: thrown.code,
      message: thrown.message,
      retryAfterMs: wait === undefined || wait === null ? undefined : Math.min(Math.max(0, Math.ceil(wait)), 0xffffffff),
      extra: pairs(thrown.extra),
    };
  }
  const isError = thrown instanceof Error;
  return {
    kind: "fatal",
    code: "exception",
    message: isError ? `${thrown.name}: ${thrown.message}` : `thrown: ${String(thrown)}`,
    retryAfterMs: undefined,
    extra: isError && thrown.stack ? [["stack", thrown.stack.trim().slice(0, STACK_BYTES)]] : [],
  };
}
