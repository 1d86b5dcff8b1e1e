// ONNX models by name; tensors live in the host. Needs `allow: { models: [NAME] }`.
import { Model as HostModel, Tensor as HostTensor } from "trackside:plugin/inference@0.1.0";
import { concat } from "./artifact.js";
import { host } from "./errors.js";
import { u64 } from "./number.js";

// Typed arrays for element types that have one. The contract's bytes are little-endian, as WebAssembly's are.
const ARRAYS = {
  uint8: Uint8Array,
  int8: Int8Array,
  uint16: Uint16Array,
  int16: Int16Array,
  uint32: Uint32Array,
  int32: Int32Array,
  uint64: BigUint64Array,
  int64: BigInt64Array,
  float32: Float32Array,
  float64: Float64Array,
};
const PART = 1024 * 1024;

/** A tensor held by the host. */
export class Tensor {
  constructor(inner) {
    this.inner = inner;
  }

  static from(element, shape, values) {
    const dims = Uint32Array.from(shape);
    if (element === "text") return new Tensor(host("inference", () => HostTensor.fromText(dims, values)));
    let bytes = values;
    if (!(values instanceof Uint8Array)) {
      const Values = ARRAYS[element];
      if (Values === undefined) throw new TypeError(`${element}: give its values as a Uint8Array`);
      const typed = values instanceof Values ? values : Values.from(values);
      bytes = new Uint8Array(typed.buffer, typed.byteOffset, typed.byteLength);
    }
    return new Tensor(host("inference", () => HostTensor.fromBytes(element, dims, bytes)));
  }

  static fromArtifact(element, shape, artifact, offset = 0) {
    const dims = Uint32Array.from(shape);
    return new Tensor(host("inference", () => HostTensor.fromArtifact(element, dims, artifact.inner, u64(offset))));
  }

  get element() {
    return this.inner.element();
  }

  get shape() {
    return Array.from(this.inner.shape());
  }

  bytes() {
    const length = Number(this.inner.byteLength());
    if (length <= PART) return host("inference", () => this.inner.read());
    const parts = [];
    for (let at = 0; at < length; ) {
      const part = host("inference", () => this.inner.readAt(u64(at), PART));
      if (part.length === 0) break;
      parts.push(part);
      at += part.length;
    }
    return concat(parts);
  }

  values() {
    if (this.element === "text") return host("inference", () => this.inner.readText());
    const bytes = this.bytes();
    const Values = ARRAYS[this.element] ?? Uint8Array;
    // A copy, so that the elements are aligned whatever the engine handed out.
    return new Values(bytes.slice().buffer);
  }

  topK(k) {
    return host("inference", () => this.inner.topK(k));
  }
}

/** An open model, pinned to one version. */
export class Model {
  constructor(name) {
    this.inner = host("inference", () => HostModel.open(name));
  }

  get digest() {
    return this.inner.digest();
  }

  get inputs() {
    return this.inner.inputs();
  }

  get outputs() {
    return this.inner.outputs();
  }

  get metadata() {
    return Object.fromEntries(this.inner.metadata());
  }

  run(inputs, wanted = []) {
    const given = Object.entries(inputs).map(([name, tensor]) => [name, tensor.inner]);
    const outputs = host("inference", () => this.inner.run(given, wanted));
    return Object.fromEntries(outputs.map(([name, inner]) => [name, new Tensor(inner)]));
  }
}
