// The reference of this SDK.

/** A JSON Schema: `true` is any value. */
export type Schema = boolean | { [key: string]: unknown };
/** Keys and values for people and tools; values become text. */
export type Attributes = { [key: string]: string | number | boolean };
export type Bytes = Uint8Array<ArrayBufferLike>;

/** A named place where artifacts come in or go out. */
export interface Port {
  name: string;
  description?: string;
  /** Media types it is meant for; none = any. */
  mediaTypes?: string[];
  required?: boolean;
  /** Whether it takes more than one artifact. */
  many?: boolean;
}

/** Something that the plugin asks the operator for: `kind` is a key of `allow:`. */
export interface Want {
  kind: "http" | "models" | "state" | "deliver" | "secrets" | (string & {});
  value?: string;
  reason?: string;
  optional?: boolean;
}

export interface Declaration<Input, Output> {
  name: string;
  version: string;
  summary: string;
  /** The manual, in Markdown. */
  docs?: string;
  inputSchema: Schema;
  outputSchema: Schema;
  inputs?: Port[];
  outputs?: Port[];
  wants?: Want[];
  /** Whether the same input always gives the same output. */
  deterministic?: boolean;
  /** One attempt. What it throws fails the step: a StepError as it says, anything else with the code `exception`. */
  run(input: Input, step: Step): Output | Skipped;
}

/** What the component exports: `export const { describe, step } = plugin({ ... })`. */
export function plugin<Input = any, Output = unknown>(declaration: Declaration<Input, Output>): { describe: object; step: object };

/** What `run` returns when there was nothing to do; steps that need this one see it as skipped. */
export class Skipped {
  constructor(reason: string);
  readonly reason: string;
}

export interface ErrorOptions {
  retryable?: boolean;
  /** Asks for at least this wait before the next attempt. Only retryable errors wait. */
  retryAfterMs?: number;
  /** Details for programs. */
  extra?: Attributes;
  cause?: unknown;
}

/** A failure that will be the same next time. `code` is stable and kebab-case: people match on it. */
export class StepError extends Error {
  constructor(code: string, message: string, options?: ErrorOptions);
  code: string;
  retryable: boolean;
  retryAfterMs?: number;
  extra: Attributes;
}

/** A failure that may be gone next time: a busy server, a conflict. */
export class RetryableError extends StepError {}

/** This attempt of this step: the door to everything it can reach. */
export interface Step {
  readonly info: Info;
  /** Time left before the host stops the step; undefined = no limit. */
  readonly remainingMs: number | undefined;
  /** Whether somebody asked the step to stop. A step that loops for long checks it now and then. */
  readonly cancelled: boolean;
  /** Kept between runs for this step. Needs `allow: { state: true }`. */
  readonly state: State;
  /** Shared by all steps of the workflow. */
  readonly workflowState: State;
  readonly log: Log;
  readonly metrics: Metrics;

  /** The one artifact of an input port; throws `missing-input` or `too-many-inputs`. */
  input(port: string): Artifact;
  optionalInput(port: string): Artifact | undefined;
  inputs(port: string): Artifact[];
  /** Starts an artifact on an output port. */
  create(port: string, name: string, mediaType?: string): ArtifactWriter;

  /** Has the artifact written below a folder that `allow: { deliver: [FOLDER] }` grants, once the step has succeeded. */
  deliver(artifact: Artifact, path: string, present?: "refuse" | "keep" | "replace" | "number"): void;
  publish(channel: string, topic: string, payload: string | Bytes, attributes?: Attributes): void;
  emit(event: string, data: unknown): void;

  /** Sends an HTTP request. Needs `allow: { http: [ORIGIN] }`. Statuses are not errors; redirects are not followed. */
  request(url: string, options?: RequestOptions): Response;
  /** Opens an ONNX model. Needs `allow: { models: [NAME] }`. */
  model(name: string): Model;
  /** Needs `allow: { secrets: [NAME] }`. */
  secret(name: string): Secret;

  /** Runs `work` in a span. */
  span<T>(name: string, work: (span: { set(key: string, value: string | number | boolean): void }) => T, attributes?: Attributes): T;
  /** How far it is, 0 to 1, for people who watch. */
  progress(fraction: number, note?: string): void;
}

export interface Info {
  workflow: string;
  runId: string;
  step: string;
  /** 1 on the first try. */
  attempt: number;
  /** The same for all attempts of this step in this run. */
  idempotencyKey: string;
  /** The scheduled or event time; not "now". */
  logicalTime: Date;
  triggerKind: string;
  trigger: { [key: string]: string };
}

/** An immutable artifact. `limit` is in bytes, 16 MiB without it; more throws `too-large`. */
export interface Artifact {
  readonly name: string;
  readonly mediaType: string;
  readonly size: number;
  /** `sha256:…` when it is known. */
  readonly digest: string | undefined;
  chunks(size?: number): Iterable<Bytes>;
  range(offset: number, length?: number, size?: number): Iterable<Bytes>;
  /** At most `max` bytes; fewer only at the end, or above 1 MiB. */
  readAt(offset: number, max: number): Bytes;
  /** Lines as text without their line feed; what is not UTF-8 becomes U+FFFD. */
  lines(): Iterable<string>;
  bytes(limit?: number): Bytes;
  text(limit?: number): string;
  json(limit?: number): any;
}

/** Writes a new artifact in order. Without `commit` nothing remains of it. */
export interface ArtifactWriter {
  readonly written: number;
  /** Appends text or bytes. An array may be filled again at once: none of it is kept. */
  write(data: string | Bytes): this;
  writeLine(line?: string): this;
  /** One JSON value and a line feed: a line of a JSONL artifact. */
  writeJson(value: unknown): this;
  flush(): void;
  /** Appends a part of another artifact; no byte of it enters the plugin's memory. */
  splice(source: Artifact, offset?: number, length?: number): number;
  attribute(key: string, value: string | number | boolean): this;
  /** Makes it durable. Later steps see it if this step succeeds. */
  commit(): Artifact;
}

/** Small values that outlive the run, kept as JSON; they become durable together with the step's result. */
export interface State {
  /** Whether the step may use it. */
  readonly granted: boolean;
  get<T = any>(key: string): T | undefined;
  get<T = any>(key: string, otherwise: T): T;
  set(key: string, value: unknown, options?: { ttlMs?: number }): void;
  /** Reads, changes and writes back; gives the new value. A change made meanwhile throws `state-conflict` (retryable). */
  update<T = any>(key: string, change: (value: T) => T, otherwise?: T): T;
  remove(key: string): void;
  keys(prefix?: string): string[];
}

type Line = (message: string, attributes?: Attributes) => void;
/** The step's log. `console` writes to it too. */
export interface Log {
  (level: Level, message: string, attributes?: Attributes): void;
  trace: Line;
  debug: Line;
  info: Line;
  warn: Line;
  error: Line;
  enabled(level: Level): boolean;
}
export type Level = "trace" | "debug" | "info" | "warn" | "error";

export interface Metrics {
  count(name: string, delta?: number, attributes?: Attributes): void;
  gauge(name: string, value: number, attributes?: Attributes): void;
  histogram(name: string, value: number, attributes?: Attributes): void;
}

export interface RequestOptions {
  /** GET, or POST with a body, without it. */
  method?: string;
  headers?: Attributes;
  body?: string | Bytes | Artifact;
  /** Sent as JSON instead of `body`. */
  json?: unknown;
  timeoutMs?: number;
}

export interface Response {
  readonly url: string;
  readonly status: number;
  /** Whether the status is 200 to 299. */
  readonly ok: boolean;
  readonly headers: [string, string][];
  header(name: string): string | undefined;
  chunks(size?: number): Iterable<Bytes>;
  lines(): Iterable<string>;
  bytes(limit?: number): Bytes;
  text(limit?: number): string;
  json(limit?: number): any;
  /** The rest of the body straight into an artifact; no byte enters the plugin's memory. */
  saveTo(writer: ArtifactWriter): number;
}

export type Element =
  | "boolean" | "uint8" | "int8" | "uint16" | "int16" | "uint32" | "int32" | "uint64" | "int64"
  | "float16" | "bfloat16" | "float32" | "float64" | "text";

/** A tensor held by the host. */
export class Tensor {
  /** From values in row-major order, or from their little-endian bytes. */
  static from(element: Element, shape: number[], values: ArrayLike<number> | ArrayLike<bigint> | string[] | Bytes): Tensor;
  static fromArtifact(element: Element, shape: number[], artifact: Artifact, offset?: number): Tensor;
  readonly element: Element;
  readonly shape: number[];
  bytes(): Bytes;
  /** A typed array, or strings; the bytes for element types that JavaScript does not have. */
  values(): any;
  /** The `k` largest elements with their positions, largest first. */
  topK(k: number): [number, number][];
}

export interface ModelPort {
  name: string;
  element: Element;
  /** undefined = any size. */
  shape: (number | undefined | null)[];
}

/** An open model, pinned to one version. */
export interface Model {
  readonly digest: string;
  readonly inputs: ModelPort[];
  readonly outputs: ModelPort[];
  readonly metadata: { [key: string]: string };
  /** Gives all outputs by name, or only the wanted ones. */
  run(inputs: { [name: string]: Tensor }, wanted?: string[]): { [name: string]: Tensor };
}

export interface Secret {
  /** A token for request headers; the host replaces it on the way out. */
  readonly placeholder: string;
  /** The value itself; only where the grant says so. */
  reveal(): string;
}

declare global {
  /** Writes to the step's log. */
  var console: {
    trace(...words: unknown[]): void;
    debug(...words: unknown[]): void;
    log(...words: unknown[]): void;
    info(...words: unknown[]): void;
    warn(...words: unknown[]): void;
    error(...words: unknown[]): void;
  };
}
