// What npm would publish: publint and arethetypeswrong find nothing wrong with the tarball.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const folder = mkdtempSync(join(tmpdir(), "realtime-pack-"));
try {
  const packed = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { encoding: "utf8" }));
  const { filename } = Array.isArray(packed) ? packed[0] : Object.values(packed)[0];
  const tarball = join(folder, filename);
  const { messages } = await publint({ pack: { tarball: readFileSync(tarball).buffer }, strict: true });
  const { default: pkg } = await import("../package.json", { with: { type: "json" } });
  for (const message of messages) console.error(`publint: ${formatMessage(message, pkg)}`);
  execFileSync("node_modules/.bin/attw", [tarball, "--profile", "esm-only", "--no-emoji", "--exclude-entrypoints", "./package.json"], { stdio: "inherit" });
  if (messages.length) process.exit(1);
  console.log("publint and arethetypeswrong: nothing wrong");
} finally {
  rmSync(folder, { recursive: true, force: true });
}
