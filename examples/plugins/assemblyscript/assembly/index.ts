// Counts the lines of standard input and those that contain a text: `line-stats [--pattern TEXT] [--fail KIND]`.
import { args, exit, fail, read, write } from "./wasi";

const chunk = new StaticArray<u8>(64 * 1024);

function option(name: string): string {
  const list = args();
  const at = list.indexOf(name);
  return at > 0 && at + 1 < list.length ? list[at + 1] : "";
}

/** Looks for a text in a stream of bytes, line by line. */
class Search {
  lines: u64 = 0;
  bytes: u64 = 0;
  matches: u64 = 0;
  // The line that has begun. Only the last bytes are kept, as many as the pattern has.
  private begun: bool = false;
  private found: bool = false;
  private window: StaticArray<u8>;
  private seen: i32 = 0;

  constructor(private pattern: Uint8Array) {
    this.window = new StaticArray<u8>(max(pattern.length, 1));
  }

  add(byte: u8): void {
    this.bytes++;
    if (byte == 10) return this.endLine();
    this.begun = true;
    const size = this.pattern.length;
    if (size == 0 || this.found) return;
    this.window[this.seen % size] = byte;
    this.seen++;
    if (this.seen >= size && byte == this.pattern[size - 1]) this.found = this.matchesHere(size);
  }

  private matchesHere(size: i32): bool {
    for (let index = 0; index < size; index++) {
      if (this.window[(this.seen + index) % size] != this.pattern[index]) return false;
    }
    return true;
  }

  private endLine(): void {
    this.lines++;
    if (this.found) this.matches++;
    this.begun = this.found = false;
    this.seen = 0;
  }

  end(): void {
    if (this.begun) this.endLine();
  }
}

function main(): void {
  const kind = option("--fail");
  if (kind == "retryable") fail("failing as asked", 75);
  if (kind == "fatal") fail("failing as asked", 1);

  const search = new Search(Uint8Array.wrap(String.UTF8.encode(option("--pattern"))));
  for (let length = read(chunk); length > 0; length = read(chunk)) {
    for (let at = 0; at < length; at++) search.add(unchecked(chunk[at]));
  }
  search.end();
  if (search.bytes == 0) fail("the file is empty", 10);

  const lines = search.lines.toString();
  const matches = search.matches.toString();
  write(2, lines + " lines, " + matches + " with the pattern\n");
  write(1, '{"lines":' + lines + ',"bytes":' + search.bytes.toString() + ',"matches":' + matches + "}\n");
  exit(0);
}

main();
