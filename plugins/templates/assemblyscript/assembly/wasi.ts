// The little of WASI preview 1 that a command needs: arguments, standard input, output and error, the exit code.
// AssemblyScript has no library for it.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "args_sizes_get")
declare function args_sizes_get(count: usize, size: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "args_get")
declare function args_get(pointers: usize, buffer: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(file: u32, parts: usize, count: u32, read: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(file: u32, parts: usize, count: u32, written: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;

// One (pointer, length) pair and one result, outside the managed heap.
const part: usize = memory.data(8);
const result: usize = memory.data(8);

/** The arguments; the first is the program's name. */
export function args(): string[] {
  args_sizes_get(result, result + 4);
  const count = load<u32>(result);
  const pointers = new StaticArray<usize>(count + 1);
  const buffer = new StaticArray<u8>(load<u32>(result + 4) + 1);
  args_get(changetype<usize>(pointers), changetype<usize>(buffer));
  const list: string[] = [];
  for (let index: u32 = 0; index < count; index++) {
    let end = pointers[index];
    while (load<u8>(end) != 0) end++;
    list.push(String.UTF8.decodeUnsafe(pointers[index], end - pointers[index]));
  }
  return list;
}

/** Reads from standard input; 0 at its end. */
export function read(into: StaticArray<u8>): i32 {
  store<usize>(part, changetype<usize>(into));
  store<u32>(part + 4, into.length);
  if (fd_read(0, part, 1, result) != 0) fail("standard input can not be read", 1);
  return load<u32>(result);
}

/** All of standard input as text. For what may be larger than memory, use `read`. */
export function readAll(): string {
  const chunk = new StaticArray<u8>(64 * 1024);
  let text = new Uint8Array(0);
  for (let length = read(chunk); length > 0; length = read(chunk)) {
    const grown = new Uint8Array(text.length + length);
    grown.set(text);
    memory.copy(grown.dataStart + text.length, changetype<usize>(chunk), length);
    text = grown;
  }
  return String.UTF8.decode(text.buffer);
}

/** Writes text: 1 is standard output, the result; 2 is standard error, the log. */
export function write(file: u32, text: string): void {
  const bytes = String.UTF8.encode(text);
  let at: usize = 0;
  while (at < <usize>bytes.byteLength) {
    store<usize>(part, changetype<usize>(bytes) + at);
    store<u32>(part + 4, bytes.byteLength - <i32>at);
    if (fd_write(file, part, 1, result) != 0) proc_exit(1);
    at += load<u32>(result);
  }
}

/** Ends the program. */
export function exit(code: u32): void {
  proc_exit(code);
}

/** Ends the program with a line for the log. */
export function fail(message: string, code: u32): void {
  write(2, message + "\n");
  proc_exit(code);
}

/** What the compiler calls when an assertion fails or memory is used up. */
export function abort(message: string | null, file: string | null, line: u32, column: u32): void {
  const where = (file || "?") + ":" + line.toString() + ":" + column.toString();
  // Codes from 126 on are no exit codes for every runtime.
  fail((message || "abort") + " at " + where, 70);
}
