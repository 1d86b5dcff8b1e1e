// TextEncoder and TextDecoder for engines that have none (QuickJS). The fast paths use only what such an engine has as
// native code: `String.fromCharCode`, regular expressions, `escape` and `decodeURIComponent`.

// Arguments per call of `String.fromCharCode`: far below what any engine's stack takes.
const ARGUMENTS = 4096;

const NOT_ASCII = /[^\x00-\x7f]/;

/** One character per byte. */
function binary(bytes) {
  if (bytes.length <= ARGUMENTS) return String.fromCharCode.apply(null, bytes);
  const parts = [];
  for (let at = 0; at < bytes.length; at += ARGUMENTS) {
    parts.push(String.fromCharCode.apply(null, bytes.subarray(at, at + ARGUMENTS)));
  }
  return parts.join("");
}

/** UTF-8 with U+FFFD for every byte that begins nothing valid. */
function decodeLossy(bytes) {
  const points = [];
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at++];
    let point = lead;
    if (lead >= 0x80) {
      const more = lead >= 0xc2 && lead <= 0xdf ? 1 : lead >= 0xe0 && lead <= 0xef ? 2 : lead >= 0xf0 && lead <= 0xf4 ? 3 : 0;
      point = more === 0 ? 0xfffd : lead & (0x3f >> more);
      for (let index = 0; index < more; index++) {
        const next = at < bytes.length ? bytes[at] : 0;
        // The second byte of E0, ED, F0 and F4 is bounded more tightly: overlong forms, surrogates, past U+10FFFF.
        const low = index > 0 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
        const high = index > 0 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
        if (next < low || next > high) {
          point = 0xfffd;
          break;
        }
        point = (point << 6) | (next & 0x3f);
        at++;
      }
    }
    points.push(point);
    if (points.length === ARGUMENTS) text += String.fromCodePoint.apply(null, points.splice(0));
  }
  return text + String.fromCodePoint.apply(null, points);
}

function decode(bytes) {
  const text = binary(bytes);
  if (!NOT_ASCII.test(text)) return text;
  try {
    return decodeURIComponent(escape(text));
  } catch {
    return decodeLossy(bytes);
  }
}

function encode(text) {
  const bytes = [];
  for (const character of text) {
    let point = character.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), 0x80 | (point & 0x3f));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    else {
      bytes.push(0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f));
    }
  }
  return new Uint8Array(bytes);
}

function encodeFast(text) {
  if (NOT_ASCII.test(text)) return encode(text);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

globalThis.TextEncoder ??= class TextEncoder {
  get encoding() {
    return "utf-8";
  }
  encode(text = "") {
    return encodeFast(String(text));
  }
};

// Whole inputs only: nothing in this SDK decodes a part of a character.
globalThis.TextDecoder ??= class TextDecoder {
  constructor(label = "utf-8", options = {}) {
    if (!/^utf-?8$/i.test(label)) throw new RangeError(`TextDecoder: ${label} is not supported, only utf-8`);
    this.fatal = Boolean(options.fatal);
    this.ignoreBOM = Boolean(options.ignoreBOM);
  }
  get encoding() {
    return "utf-8";
  }
  decode(input = new Uint8Array()) {
    const bytes = ArrayBuffer.isView(input)
      ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
      : new Uint8Array(input);
    const text = this.fatal ? decodeURIComponent(escape(binary(bytes))) : decode(bytes);
    return !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  }
};

const encoder = new TextEncoder();
// A byte order mark is data: two steps that pass text on must not lose it.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** UTF-8 bytes of a text; bytes stay as they are. */
export function toBytes(data) {
  return typeof data === "string" ? encoder.encode(data) : data;
}

/** Text of UTF-8 bytes; what is not UTF-8 becomes U+FFFD. */
export function toText(bytes) {
  return decoder.decode(bytes);
}
