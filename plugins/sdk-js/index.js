// Write a Trackside step in JavaScript or TypeScript. README.md is the manual, index.d.ts the reference.
// `text.js` comes first: everything after it may use TextEncoder and TextDecoder.
import "./text.js";

export { plugin, Skipped } from "./plugin.js";
export { StepError, RetryableError } from "./errors.js";
export { Tensor } from "./model.js";
