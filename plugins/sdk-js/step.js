// The door to everything a step can reach.
import * as artifacts from "trackside:plugin/artifacts@0.1.0";
import * as context from "trackside:plugin/context@0.1.0";
import * as outbox from "trackside:plugin/outbox@0.1.0";
import { Secret } from "trackside:plugin/secrets@0.1.0";
import { Artifact, ArtifactWriter } from "./artifact.js";
import { StepError, host } from "./errors.js";
import { request } from "./http.js";
import { Model } from "./model.js";
import { State } from "./state.js";
import { log, metrics, progress, span } from "./telemetry.js";
import { toBytes, toText } from "./text.js";

/** This attempt of this step. */
export class Step {
  state = new State("step");
  workflowState = new State("workflow");
  log = log;
  metrics = metrics;
  span = span;
  progress = progress;
  request = request;

  get info() {
    const info = context.get();
    return {
      workflow: info.workflow,
      runId: info.runId,
      step: info.step,
      attempt: info.attempt,
      idempotencyKey: info.idempotencyKey,
      logicalTime: new Date(Number(info.logicalTimeUnixMs)),
      triggerKind: info.triggerKind,
      trigger: Object.fromEntries(info.trigger),
    };
  }

  get remainingMs() {
    const left = context.remainingMs();
    return left === undefined || left === null ? undefined : Number(left);
  }

  get cancelled() {
    return context.cancelled();
  }

  inputs(port) {
    let found;
    try {
      found = host("artifacts", () => artifacts.input(port), `input \`${port}\``);
    } catch (error) {
      if (error instanceof StepError && error.code === "artifact-not-found") return [];
      throw error;
    }
    return found.map((inner) => new Artifact(inner));
  }

  optionalInput(port) {
    const all = this.inputs(port);
    if (all.length > 1) throw new StepError("too-many-inputs", `input \`${port}\` takes one artifact, not ${all.length}`);
    return all[0];
  }

  input(port) {
    const one = this.optionalInput(port);
    if (one === undefined) {
      throw new StepError("missing-input", `input \`${port}\` is missing: give it an artifact under \`with:\``);
    }
    return one;
  }

  create(port, name, mediaType = "application/octet-stream") {
    return new ArtifactWriter(host("artifacts", () => artifacts.create(port, name, mediaType), `output \`${port}\``));
  }

  deliver(artifact, path, present = "refuse") {
    host("outbox", () => outbox.deliver(artifact.inner, path, present));
  }

  publish(channel, topic, payload, attributes = {}) {
    const pairs = Object.entries(attributes).map(([key, value]) => [key, String(value)]);
    host("outbox", () => outbox.publish(channel, topic, toBytes(payload), pairs));
  }

  emit(event, data) {
    host("outbox", () => outbox.emit(event, JSON.stringify(data)));
  }

  model(name) {
    return new Model(name);
  }

  secret(name) {
    const inner = host("secrets", () => Secret.open(name));
    return {
      placeholder: inner.placeholder(),
      reveal: () => toText(host("secrets", () => inner.reveal())),
    };
  }
}
