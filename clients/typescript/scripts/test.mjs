// Runs the compiled tests with Node's own runner. Arguments are names of test files, without `.test`.
import { readdirSync } from "node:fs";
import { spawnSync } from "node:child_process";

const names = process.argv.slice(2);
const files = readdirSync("build/test").filter((name) => name.endsWith(".test.js") && (!names.length || names.some((wanted) => name === `${wanted}.test.js`)));
const { status } = spawnSync(process.execPath, ["--test", "--test-reporter=spec", ...files.map((name) => `build/test/${name}`)], { stdio: "inherit" });
process.exit(status ?? 1);
