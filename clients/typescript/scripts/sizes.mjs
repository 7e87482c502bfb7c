// The size of each entry point, gzip -9. Fails above sizes.json.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { bundles } from "./bundles.mjs";

const limits = JSON.parse(readFileSync("sizes.json", "utf8"));
for (const { entry, bytes } of await bundles()) {
  const size = gzipSync(bytes, { level: 9 }).length;
  const limit = limits[entry];
  const ok = limit !== undefined && size <= limit;
  if (!ok) process.exitCode = 1;
  console.log(`${ok ? "ok  " : "FAIL"} ${entry.padEnd(12)} ${String(bytes.length).padStart(6)} min ${String(size).padStart(6)} gz, at most ${limit ?? "(not in sizes.json)"}`);
}
