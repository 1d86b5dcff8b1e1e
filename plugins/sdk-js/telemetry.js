// Logs, metrics and spans. The host bounds how much it keeps; nothing here can fail.
import * as telemetry from "trackside:plugin/telemetry@0.1.0";

const pairs = (attributes) => Object.entries(attributes ?? {}).map(([key, value]) => [key, String(value)]);

function log(level, message, attributes) {
  telemetry.log(level, String(message), pairs(attributes));
}

log.trace = (message, attributes) => log("trace", message, attributes);
log.debug = (message, attributes) => log("debug", message, attributes);
log.info = (message, attributes) => log("info", message, attributes);
log.warn = (message, attributes) => log("warn", message, attributes);
log.error = (message, attributes) => log("error", message, attributes);
log.enabled = (level) => telemetry.enabled(level);

export { log };

export const metrics = {
  count: (name, delta = 1, attributes) => telemetry.counterAdd(name, delta, pairs(attributes)),
  gauge: (name, value, attributes) => telemetry.gaugeSet(name, value, pairs(attributes)),
  histogram: (name, value, attributes) => telemetry.histogramRecord(name, value, pairs(attributes)),
};

/** Runs `work` in a span; a failure is noted in it. */
export function span(name, work, attributes) {
  const inner = telemetry.Span.start(name, pairs(attributes));
  try {
    return work({ set: (key, value) => inner.setAttribute(key, String(value)) });
  } catch (error) {
    inner.setError(String(error?.message ?? error));
    throw error;
  } finally {
    inner.end();
  }
}

export function progress(fraction, note = "") {
  telemetry.progress(fraction, note);
}

/** `console` writes to the step's log: what an engine itself does with it is not the same everywhere. */
export function installConsole() {
  const write = (level) => (...words) => log(level, words.map(show).join(" "));
  globalThis.console = {
    ...globalThis.console,
    trace: write("trace"),
    debug: write("debug"),
    log: write("info"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
}

function show(word) {
  if (typeof word === "string") return word;
  if (word instanceof Error) return `${word.name}: ${word.message}`;
  try {
    return JSON.stringify(word) ?? String(word);
  } catch {
    return String(word);
  }
}
