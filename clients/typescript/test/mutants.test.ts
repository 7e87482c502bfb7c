// Each planted bug is caught by a scenario or by a schedule. The table of README.md has what this test prints.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MUTANTS, type Mutant } from "./mutants.js";
import { FOLDER } from "./scenario/format.js";

const BUILD = fileURLToPath(new URL("../", import.meta.url));
const SEEDS = "400";

/** The names of the tests that fail, with their first line of error. */
async function failures(folder: string, file: string): Promise<string[]> {
  const env: NodeJS.ProcessEnv = { ...process.env, SCENARIOS: FOLDER, SEEDS };
  delete env["NODE_TEST_CONTEXT"];
  try {
    await promisify(execFile)(process.execPath, ["--test-reporter=tap", `${folder}/test/${file}.test.js`], { env, timeout: 60_000, maxBuffer: 1e8 });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    const failed = [...stdout.matchAll(/^not ok \d+ - (.*)$/gm)].map((match) => match[1] as string);
    return failed.length ? failed : ["no end"];
  }
}

async function plant(mutant: Mutant, index: number): Promise<{ scenarios: string[]; schedules: boolean }> {
  const folder = `${BUILD}../build-mutants/${index}`;
  cpSync(BUILD, folder, { recursive: true });
  for (const [from, to, file = mutant.file] of mutant.edits) {
    const path = `${folder}/src/${file}`;
    const source = readFileSync(path, "utf8");
    assert.equal(source.split(from).length, 2, `${mutant.name}: the place of the bug is there once`);
    writeFileSync(path, source.replace(from, to));
  }
  const scenarios = await failures(folder, mutant.driver ? "socket-scenarios" : "machine-scenarios");
  const schedules = mutant.driver ? [] : await failures(folder, "schedules");
  return { scenarios: [...new Set(scenarios.map((name) => name.split(":")[0] as string))], schedules: schedules.length > 0 };
}

test("every planted bug is caught", { concurrency: 2 }, async (t) => {
  rmSync(`${BUILD}../build-mutants`, { recursive: true, force: true });
  await Promise.all(MUTANTS.map((mutant, index) => t.test(mutant.name, async () => {
    const { scenarios, schedules } = await plant(mutant, index);
    console.log(`| ${mutant.name} | ${mutant.thread} | ${scenarios.join(", ") || "-"} | ${mutant.driver ? "" : schedules ? "yes" : "-"} |`);
    assert.ok(scenarios.length > 0 || schedules, "neither a scenario nor a schedule sees it");
  })));
  rmSync(`${BUILD}../build-mutants`, { recursive: true, force: true });
});
