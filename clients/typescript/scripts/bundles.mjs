// Each entry point as a browser gets it: one ESM bundle, minified by esbuild. An entry point counts what it adds to the main
// one, which a bundle has once.
import { readFileSync } from "node:fs";
import { build } from "esbuild";

export async function bundles() {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
  const entries = Object.entries(exports).filter(([entry]) => entry !== "./package.json");
  return Promise.all(entries.map(async ([entry, target]) => {
    const adds = entry !== ".";
    const external = adds ? ["../index.js", "./index.js", "../client.js", "./client.js", "./presence.js", "react", "react/*"] : [];
    const options = { bundle: true, minify: true, format: "esm", platform: "browser", target: "es2022", write: false, external, logLevel: "error" };
    const { outputFiles } = await build({ entryPoints: [target.default], ...options });
    return { entry, adds, bytes: outputFiles[0].contents };
  }));
}
