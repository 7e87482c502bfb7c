// Bundles the parts that need no browser, and runs their tests.
import { mkdtemp, rm } from "node:fs/promises";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = await mkdtemp(join(root, "node_modules", ".tests-"));
try {
  await build({ absWorkingDir: root, entryPoints: ["test/all.mjs"], bundle: true, platform: "node", format: "esm", outfile: join(folder, "all.mjs"), logLevel: "error" });
  process.exitCode = spawnSync(process.execPath, ["--test", "--test-reporter=dot", join(folder, "all.mjs")], { stdio: "inherit" }).status ?? 1;
} finally {
  await rm(folder, { recursive: true });
}
