// What a plugin in JavaScript or TypeScript may do with its array: fill it again. Prints what the host was given.
import { ArtifactWriter } from "./sdk/artifact.js";

const sent = [];
const writer = new ArtifactWriter({
  write: (bytes) => sent.push(Buffer.from(bytes).toString("latin1")),
  stat: () => ({}),
  commit: () => ({ stat: () => ({ name: "a", mediaType: "text/plain", size: 0 }) }),
});
const buffer = new Uint8Array(7);
for (const digit of "12345") {
  buffer.set(Buffer.from(`line ${digit}\n`));
  writer.write(buffer);
}
// Bytes among texts, and a part of a larger array.
writer.write("text\n");
writer.write(buffer.subarray(5));
buffer.fill(0x21);
writer.commit();
process.stdout.write(sent.join(""));
