// 64-bit integers of the contract. One engine passes them as numbers, the other as BigInt; sizes and times of the
// contract stay below 2^53, so authors see numbers only.
import { get } from "trackside:plugin/context@0.1.0";

let big;

/** A number as this engine wants a u64. */
export function u64(value) {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${value} is no whole number from 0 to 2^53 - 1`);
  }
  // What the engine hands out for a u64 is what it takes.
  big ??= typeof get().logicalTimeUnixMs === "bigint";
  return big ? BigInt(value) : value;
}

/** As `u64`, and nothing for nothing. */
export function optionalU64(value) {
  return value === undefined || value === null ? undefined : u64(value);
}
