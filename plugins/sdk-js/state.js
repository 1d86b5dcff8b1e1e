// Small values that outlive the run. Writes become durable together with the step's result, or not at all.
import * as store from "trackside:plugin/state@0.1.0";
import { StepError, host } from "./errors.js";
import { optionalU64 } from "./number.js";
import { toBytes, toText } from "./text.js";

const PAGE = 256;

/** A key-value store; values are JSON. */
export class State {
  constructor(scope) {
    this.scope = scope;
  }

  /** Whether the step may use it. */
  get granted() {
    try {
      this.#entry("");
      return true;
    } catch (error) {
      if (error instanceof StepError && error.code === "denied") return false;
      throw error;
    }
  }

  #entry(key) {
    return host("state", () => store.get(this.scope, key));
  }

  get(key, otherwise = undefined) {
    const entry = this.#entry(key);
    return entry ? parse(key, entry.value) : otherwise;
  }

  set(key, value, options = {}) {
    host("state", () => store.set(this.scope, key, toBytes(JSON.stringify(value)), optionalU64(options.ttlMs)));
  }

  update(key, change, otherwise = undefined) {
    const entry = this.#entry(key);
    const value = change(entry ? parse(key, entry.value) : otherwise);
    const bytes = toBytes(JSON.stringify(value));
    // A version is handed back as it came, so its type is the engine's.
    host("state", () => store.compareAndSet(this.scope, key, entry ? entry.version : undefined, bytes));
    return value;
  }

  remove(key) {
    host("state", () => store.delete(this.scope, key));
  }

  keys(prefix = "") {
    const keys = [];
    for (let after; ; ) {
      const page = host("state", () => store.listKeys(this.scope, prefix, after, PAGE));
      keys.push(...page.keys);
      if (!page.next || page.next === after) return keys;
      after = page.next;
    }
  }
}

function parse(key, bytes) {
  try {
    return JSON.parse(toText(bytes));
  } catch (error) {
    throw new StepError("bad-state", `the stored value of \`${key}\` is no JSON: ${error.message}`, { cause: error });
  }
}
