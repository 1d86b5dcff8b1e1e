// Makes a component of a plugin's source: `node build.mjs plugin.js -o build/plugin.wasm [--engine NAME]`.
//
// It joins the source and this SDK into one module (TypeScript too: types are taken off, not checked) and puts that into a
// JavaScript engine. Engines: `quickjs` (default, 1.2 MB, starts in a millisecond) and `starlingmonkey` (12 MB, a faster
// and more complete JavaScript). Run it in the project's folder: the tools are the project's own dev dependencies.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const WORLD = "trackside:plugin/plugin";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    output: { type: "string", short: "o", default: "build/plugin.wasm" },
    engine: { type: "string", default: "quickjs" },
  },
});
if (positionals.length !== 1) fail("usage: build.mjs SOURCE [-o OUTPUT] [--engine quickjs|starlingmonkey]");

const source = resolve(positionals[0]);
const sdk = dirname(fileURLToPath(import.meta.url));
// In a project the contract lies beside this folder; in the repository of Trackside at its root.
const wit = [join(sdk, "../wit"), join(sdk, "../../wit")].find(existsSync) ?? fail("the contract (wit/) is missing");

const { build } = await tool("esbuild");
const bundle = await build({
  entryPoints: [source],
  bundle: true,
  write: false,
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  conditions: ["module"],
  target: "es2022",
  external: ["trackside:*"],
  alias: { "trackside-sdk": join(sdk, "index.js") },
  logLevel: "warning",
});
const script = bundle.outputFiles[0].text;

const component = await componentizers()[values.engine]?.();
if (component === undefined) fail(`unknown engine ${values.engine}: quickjs or starlingmonkey`);
mkdirSync(dirname(resolve(values.output)), { recursive: true });
writeFileSync(values.output, component);
console.error(`${values.output}: ${component.length} bytes`);
// The tools leave worker threads behind.
process.exit(0);

function componentizers() {
  return {
    async quickjs() {
      const { componentize } = await tool("componentize-qjs");
      // `sync`: a component that needs no asynchronous host.
      const made = await componentize({
        witPath: wit,
        world: WORLD,
        jsSource: script,
        jsPath: source,
        sync: true,
        optSize: true,
      });
      return made.component;
    },
    async starlingmonkey() {
      const { componentize } = await tool("@bytecodealliance/componentize-js");
      const bundled = join(dirname(resolve(values.output)), "plugin.bundle.js");
      mkdirSync(dirname(bundled), { recursive: true });
      writeFileSync(bundled, script);
      const made = await componentize({
        sourcePath: bundled,
        witPath: wit,
        worldName: WORLD,
        disableFeatures: ["random", "stdio", "clocks", "http", "fetch-event"],
      });
      return Buffer.from(made.component);
    },
  };
}

/** A tool that the project has installed: looked for from the project upwards, because this file may lie elsewhere. */
async function tool(name) {
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(found)) {
      const { exports, main = "index.js" } = JSON.parse(readFileSync(join(found, "package.json"), "utf8"));
      const entry = exports?.["."] ?? exports ?? main;
      return import(pathToFileURL(join(found, entry.import?.default ?? entry.import ?? entry.default ?? entry)).href);
    }
    if (folder === dirname(folder)) return fail(`${name} is not installed: run \`npm install --save-dev ${name}\``);
  }
}

function fail(message) {
  console.error(`build.mjs: ${message}`);
  process.exit(1);
}
