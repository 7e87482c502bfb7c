// A program that uses the types rightly compiles; one that misuses a topic, a type or a field does not.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

test("the compiler knows topics, types and fields, and refuses what is wrong", () => {
  try {
    execFileSync("node_modules/.bin/tsc", ["-p", "tsconfig.types.json"], { cwd: ROOT, encoding: "utf8" });
  } catch (error) {
    assert.fail((error as { stdout: string }).stdout);
  }
});
