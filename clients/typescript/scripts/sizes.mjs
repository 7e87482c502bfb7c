// The size of each entry point as a browser gets it: one ESM bundle, minified, gzip -9. Fails above sizes.json.
import { gzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
import { build } from "esbuild";

const limits = JSON.parse(readFileSync("sizes.json", "utf8"));
const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
let failed = false;
for (const [entry, target] of Object.entries(exports)) {
  if (entry === "./package.json") continue;
  // An entry point counts what it adds to the main one, which a bundle has once.
  const external = entry === "." ? [] : ["../index.js", "./index.js", "./client.js", "./presence.js", "react", "react/*"];
  const { outputFiles } = await build({ entryPoints: [target.default], bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022", write: false, external, logLevel: "error" });
  const size = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  const limit = limits[entry];
  const ok = limit !== undefined && size <= limit;
  failed ||= !ok;
  console.log(`${ok ? "ok  " : "FAIL"} ${entry.padEnd(12)} ${String(outputFiles[0].contents.length).padStart(6)} min ${String(size).padStart(6)} gz, at most ${limit ?? "(not in sizes.json)"}`);
}
process.exit(failed ? 1 : 0);
