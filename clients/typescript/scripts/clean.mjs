// Removes the folders that the arguments name, so that a build has nothing of an earlier one.
import { rmSync } from "node:fs";

for (const folder of process.argv.slice(2)) rmSync(folder, { recursive: true, force: true });
