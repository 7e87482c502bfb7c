// Builds dist/ from src/. With --check: builds in memory and fails if the committed files differ by a byte.
import { readFile, readdir, rm, writeFile, mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const root = new URL("..", import.meta.url);
const dist = new URL("dist/", root);

const { outputFiles } = await build({
  absWorkingDir: fileURLToPath(root),
  entryPoints: { console: "src/main.tsx" },
  bundle: true,
  minify: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  charset: "utf8",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  outdir: "dist",
  write: false,
  logLevel: "warning",
});
const files = new Map(outputFiles.map(({ path, contents }) => [path.replace(/^.*[\\/]/, ""), Buffer.from(contents)]));
for (const name of ["index.html", "icon.svg"]) files.set(name, await readFile(new URL(`src/${name}`, root)));
const licence = await readFile(new URL("node_modules/preact/LICENSE", root), "utf8");
files.set("licenses.txt", Buffer.from(`console.js contains Preact (https://preactjs.com):\n\n${licence}`));

const gzipped = [...files.values()].reduce((sum, content) => sum + gzipSync(content, { level: 9 }).length, 0);
if (process.argv.includes("--check")) {
  const committed = (await readdir(dist)).sort();
  const built = [...files.keys()].sort();
  const different = [];
  for (const name of new Set([...committed, ...built])) {
    const same = files.has(name) && committed.includes(name) && files.get(name).equals(await readFile(new URL(name, dist)));
    if (!same) different.push(name);
  }
  if (different.length > 0) {
    console.error(`dist/ is not what src/ builds: ${different.join(", ")}. Run \`npm run build\` in crates/realtime-server/console and commit dist/.`);
    process.exit(1);
  }
  console.log(`dist/ is what src/ builds: ${built.length} files, ${gzipped} bytes gzipped`);
} else {
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist);
  for (const [name, content] of files) await writeFile(new URL(name, dist), content);
  console.log(`built ${files.size} files, ${gzipped} bytes gzipped`);
}
