import { type ArtifactWriter, plugin, RetryableError, Skipped, type Step, StepError } from "trackside-sdk";

interface Input {
  pattern?: string;
  fail?: "fatal" | "retryable";
}

interface Output {
  lines: number;
  bytes: number;
  matches: number;
  total?: number;
}

function run({ pattern = "", fail }: Input, step: Step): Output | Skipped {
  if (fail === "retryable") throw new RetryableError("as-asked", "failing as asked", { retryAfterMs: 1500 });
  if (fail === "fatal") throw new StepError("as-asked", "failing as asked");

  const file = step.input("file");
  if (file.size === 0) return new Skipped("the file is empty");

  const result: Output = { lines: 0, bytes: file.size, matches: 0 };
  let found: ArtifactWriter | undefined;
  for (const line of file.lines()) {
    result.lines += 1;
    if (pattern === "" || !line.includes(pattern)) continue;
    result.matches += 1;
    found ??= step.create("matching", "matches.txt", "text/plain");
    found.writeLine(line);
  }
  found?.commit();

  if (step.state.granted) result.total = step.state.update("total", (total: number) => total + result.lines, 0);
  step.log.info(`${file.name}: ${result.lines} lines, ${result.matches} with the pattern`);
  return result;
}

export const { describe, step } = plugin({
  name: "line-stats-ts",
  version: "0.1.0",
  summary: "Counts lines, and keeps those that contain a text",
  inputSchema: {
    type: "object",
    properties: {
      file: true,
      pattern: { type: "string", description: "lines that contain it are counted and kept" },
      fail: { enum: ["fatal", "retryable"], description: "fail so, to see what a workflow does then" },
    },
    required: ["file"],
    additionalProperties: false,
  },
  outputSchema: {
    type: "object",
    properties: {
      lines: { type: "integer" },
      bytes: { type: "integer" },
      matches: { type: "integer" },
      total: { type: "integer", description: "lines of all runs, when the state is granted" },
    },
    required: ["lines", "bytes", "matches"],
  },
  inputs: [{ name: "file", description: "the text to count", required: true }],
  outputs: [{ name: "matching", description: "the lines that contain the pattern", mediaTypes: ["text/plain"] }],
  wants: [{ kind: "state", reason: "a total over all runs", optional: true }],
  run,
});
