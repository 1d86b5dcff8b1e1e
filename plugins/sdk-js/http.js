// Outbound HTTP. Needs `allow: { http: [ORIGIN] }`; redirects are never followed.
import { send, sendArtifact } from "trackside:plugin/http@0.1.0";
import { Artifact, chunksOf, linesOf, wholeOf } from "./artifact.js";
import { StepError, host } from "./errors.js";
import { optionalU64 } from "./number.js";
import { toBytes, toText } from "./text.js";

const WHOLE = 16 * 1024 * 1024;

/** A response: its head is here, its body is read in order. Statuses are not errors. */
export class Response {
  constructor(inner, url) {
    this.inner = inner;
    this.url = url;
    this.status = inner.status();
    this.ok = this.status >= 200 && this.status < 300;
    this.headers = inner.headers();
  }

  header(name) {
    const wanted = name.toLowerCase();
    return this.headers.find(([other]) => other.toLowerCase() === wanted)?.[1];
  }

  chunks(size = 64 * 1024) {
    return chunksOf("http", this.inner, size);
  }

  lines() {
    return linesOf(this.chunks());
  }

  bytes(limit = WHOLE) {
    return wholeOf("http", this.inner, limit, this.url);
  }

  text(limit = WHOLE) {
    return toText(this.bytes(limit));
  }

  json(limit = WHOLE) {
    const text = this.text(limit);
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new StepError("bad-json", `${this.url}: ${error.message}`, { cause: error });
    }
  }

  saveTo(writer) {
    writer.flush();
    const saved = Number(host("http", () => this.inner.saveTo(writer.inner), this.url));
    writer.written += saved;
    return saved;
  }
}

/** Sends a request and waits for the response's head. */
export function request(url, options = {}) {
  const { json, timeoutMs } = options;
  const headers = Object.entries(options.headers ?? {}).map(([name, value]) => [name, String(value)]);
  if (json !== undefined && !headers.some(([name]) => name.toLowerCase() === "content-type")) {
    headers.push(["content-type", "application/json"]);
  }
  const body = json === undefined ? options.body : JSON.stringify(json);
  const method = options.method ?? (body === undefined ? "GET" : "POST");
  const head = { method, url, headers, timeoutMs: optionalU64(timeoutMs) };
  const what = `${method} ${url}`;
  const inner =
    body instanceof Artifact
      ? host("http", () => sendArtifact(head, body.inner), what)
      : host("http", () => send(head, body === undefined ? new Uint8Array() : toBytes(body)), what);
  return new Response(inner, url);
}
