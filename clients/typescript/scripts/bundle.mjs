// The main entry point as it is published: one minified file, with its source map. The names of fields that the machine
// alone uses are shortened. Of what the compiler wrote, the declarations and what the other entry points need stay.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { INTERNAL } from "./internal.mjs";
import { minified } from "./minify.mjs";

const MAIN = join("dist", "index.js");
const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
const { code, map } = await minified({ entryPoints: ["src/index.ts"], mangleProps: INTERNAL });

const needed = new Set([MAIN]);
function visit(file) {
  if (needed.has(file)) return;
  needed.add(file);
  for (const [, path] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)"/g)) visit(join(dirname(file), path));
}
for (const target of Object.values(exports)) if (target.default && existsSync(target.default)) visit(join(target.default));
for (const file of readdirSync("dist", { recursive: true }).map((name) => join("dist", name))) if (file.endsWith(".js") && !needed.has(file)) rmSync(file);
writeFileSync(MAIN, `${code}\n//# sourceMappingURL=index.js.map\n`);
writeFileSync(`${MAIN}.map`, map);
