import { plugin, Skipped, type Step } from "trackside-sdk";

interface Input {
  contains: string;
}

interface Output {
  lines: number;
  found: number;
}

function run({ contains }: Input, step: Step): Output | Skipped {
  const file = step.input("file");
  if (file.size === 0) return new Skipped("the file is empty");

  const output: Output = { lines: 0, found: 0 };
  for (const line of file.lines()) {
    output.lines += 1;
    if (line.includes(contains)) output.found += 1;
  }
  step.log.info(`${file.name}: ${output.lines} lines`);
  return output;
}

export const { describe, step } = plugin({
  name: "{{name}}",
  version: "0.1.0",
  summary: "Counts the lines that contain a text",
  inputSchema: {
    type: "object",
    properties: {
      file: { description: "the text to look through" },
      contains: { type: "string", description: "what to look for" },
    },
    required: ["file", "contains"],
    additionalProperties: false,
  },
  outputSchema: {
    type: "object",
    properties: {
      lines: { type: "integer" },
      found: { type: "integer" },
    },
    required: ["lines", "found"],
  },
  inputs: [{ name: "file", description: "the text to look through", required: true }],
  deterministic: true,
  run,
});
