// Counts the lines of standard input that contain the first argument.
import { args, exit, readAll, write } from "./wasi";

function main(): void {
  const contains = args()[1];
  const text = readAll();
  if (text.length == 0) exit(10);

  const lines = text.split("\n");
  // After the last line feed comes nothing: no line.
  if (lines[lines.length - 1] == "") lines.pop();
  let found = 0;
  for (let index = 0; index < lines.length; index++) {
    if (lines[index].includes(contains)) found++;
  }
  write(2, lines.length.toString() + " lines\n");
  write(1, '{"lines":' + lines.length.toString() + ',"found":' + found.toString() + "}\n");
}

main();
