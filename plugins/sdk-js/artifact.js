// Large data, in pieces: nothing here holds a whole artifact unless it is asked to.
import { StepError, host } from "./errors.js";
import { optionalU64, u64 } from "./number.js";
import { toBytes, toText } from "./text.js";

// Bytes fetched or sent per host call: the cost of a call is far below that of copying them.
const CHUNK = 64 * 1024;
// The most that the host takes or gives in one call.
const MAX_CALL = 1024 * 1024;
// What `bytes`, `text` and `json` read unless they are told otherwise.
const WHOLE = 16 * 1024 * 1024;

/** Joins pieces into one array. */
export function concat(parts) {
  if (parts.length === 1) return parts[0];
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Chunks of a reader until its end. */
export function* chunksOf(area, reader, size) {
  for (;;) {
    const chunk = host(area, () => reader.read(size));
    if (chunk.length === 0) return;
    yield chunk;
  }
}

/** All of a reader, when it has at most `limit` bytes. */
export function wholeOf(area, reader, limit, what) {
  const parts = [];
  let length = 0;
  for (const chunk of chunksOf(area, reader, CHUNK)) {
    length += chunk.length;
    if (length > limit) throw new StepError("too-large", `${what} has more than ${limit} bytes`);
    parts.push(chunk);
  }
  return parts.length === 0 ? new Uint8Array() : concat(parts);
}

/** Lines of chunks as text, without their line feed; a last line without one counts too. */
export function* linesOf(chunks) {
  // The beginning of a line whose end has not come. Text is cut at line feeds only, so no character is ever split.
  let begun = [];
  for (const chunk of chunks) {
    const end = chunk.lastIndexOf(10);
    if (end < 0) {
      begun.push(chunk);
      continue;
    }
    begun.push(chunk.subarray(0, end));
    yield* toText(concat(begun)).split("\n");
    begun = end + 1 < chunk.length ? [chunk.subarray(end + 1)] : [];
  }
  if (begun.length > 0) yield toText(concat(begun));
}

/** An immutable artifact. */
export class Artifact {
  constructor(inner) {
    this.inner = inner;
    const stat = inner.stat();
    this.name = stat.name;
    this.mediaType = stat.mediaType;
    this.size = Number(stat.size);
    this.digest = stat.digest ? `${stat.digest.algorithm}:${stat.digest.hex}` : undefined;
  }

  *chunks(size = CHUNK) {
    yield* chunksOf("artifacts", host("artifacts", () => this.inner.open(), this.name), size);
  }

  *range(offset, length, size = CHUNK) {
    const reader = host("artifacts", () => this.inner.openRange(u64(offset), optionalU64(length)), this.name);
    yield* chunksOf("artifacts", reader, size);
  }

  readAt(offset, max) {
    return host("artifacts", () => this.inner.readAt(u64(offset), max), this.name);
  }

  lines() {
    return linesOf(this.chunks());
  }

  bytes(limit = WHOLE) {
    return wholeOf("artifacts", host("artifacts", () => this.inner.open(), this.name), limit, this.name);
  }

  text(limit = WHOLE) {
    return toText(this.bytes(limit));
  }

  json(limit = WHOLE) {
    try {
      return JSON.parse(this.text(limit));
    } catch (error) {
      if (error instanceof StepError) throw error;
      throw new StepError("bad-json", `${this.name}: ${error.message}`, { cause: error });
    }
  }
}

/** Writes a new artifact in order; small writes are gathered. Without `commit` nothing remains of it. */
export class ArtifactWriter {
  constructor(inner) {
    this.inner = inner;
    this.written = 0;
    this.pending = [];
    this.gathered = 0;
  }

  write(data) {
    // Bytes are their owner's, who may fill the same array again before they are sent: what waits is a copy.
    this.pending.push(typeof data === "string" ? data : new Uint8Array(data));
    this.gathered += data.length;
    if (this.gathered >= CHUNK) this.flush();
    return this;
  }

  writeLine(line = "") {
    return this.write(`${line}\n`);
  }

  writeJson(value) {
    return this.writeLine(JSON.stringify(value));
  }

  flush() {
    const pending = this.pending;
    this.pending = [];
    this.gathered = 0;
    if (pending.length === 0) return;
    // Texts are encoded together: one pass over 64 KiB instead of one per line.
    const text = pending.every((part) => typeof part === "string");
    const bytes = text ? toBytes(pending.join("")) : concat(pending.map(toBytes));
    for (let at = 0; at < bytes.length; at += MAX_CALL) {
      host("artifacts", () => this.inner.write(bytes.subarray(at, at + MAX_CALL)));
    }
    this.written += bytes.length;
  }

  splice(source, offset = 0, length = undefined) {
    this.flush();
    const copied = Number(host("artifacts", () => this.inner.spliceFrom(source.inner, u64(offset), optionalU64(length))));
    this.written += copied;
    return copied;
  }

  attribute(key, value) {
    host("artifacts", () => this.inner.setAttribute(key, String(value)));
    return this;
  }

  commit() {
    this.flush();
    return new Artifact(host("artifacts", () => this.inner.commit()));
  }
}
