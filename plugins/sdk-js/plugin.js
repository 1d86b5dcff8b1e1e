// How a plugin is declared.
import { inputJson } from "trackside:plugin/context@0.1.0";
import { StepError, toStepError } from "./errors.js";
import { Step } from "./step.js";
import { installConsole, log } from "./telemetry.js";

/** What `run` returns when there was nothing to do; steps that need this one see it as skipped. */
export class Skipped {
  constructor(reason) {
    this.reason = reason;
  }
}

const port = (port) => ({
  name: port.name,
  description: port.description ?? "",
  mediaTypes: port.mediaTypes ?? [],
  required: port.required ?? false,
  many: port.many ?? false,
});

const want = (want) => ({
  kind: want.kind,
  value: want.value ?? "",
  reason: want.reason ?? "",
  optional: want.optional ?? false,
});

/** What the component exports: `export const { describe, step } = plugin({ ... })`. */
export function plugin(declared) {
  return {
    describe: {
      describe: () => ({
        name: declared.name,
        version: declared.version,
        summary: declared.summary,
        docsMarkdown: declared.docs ?? "",
        inputSchema: JSON.stringify(declared.inputSchema),
        outputSchema: JSON.stringify(declared.outputSchema),
        inputs: (declared.inputs ?? []).map(port),
        outputs: (declared.outputs ?? []).map(port),
        wants: (declared.wants ?? []).map(want),
        deterministic: declared.deterministic ?? false,
        extra: [],
      }),
    },
    step: {
      run() {
        try {
          installConsole();
          return outcome(declared.run(JSON.parse(inputJson()), new Step()));
        } catch (thrown) {
          const error = toStepError(thrown);
          // Without its stack an error that nobody meant to throw says too little; the log is where people look.
          if (!(thrown instanceof StepError)) log.error(error.message, Object.fromEntries(error.extra));
          // Thrown from an export, this object is the contract's `step-error`.
          throw error;
        }
      },
    },
  };
}

function outcome(returned) {
  if (returned instanceof Skipped) return { tag: "skipped", val: String(returned.reason) };
  if (typeof returned?.then === "function") {
    throw new StepError("bad-output", "`run` returned a promise: calls to the host are not asynchronous, `run` must not be");
  }
  const json = JSON.stringify(returned);
  if (json === undefined) throw new StepError("bad-output", "`run` returned nothing that is JSON");
  return { tag: "done", val: json };
}
