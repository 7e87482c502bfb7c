// Each entry point as a browser gets it. One beside the main one counts what it adds to it, which a bundle has once.
import { readFileSync } from "node:fs";
import { minified } from "./minify.mjs";

export async function bundles() {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
  const entries = Object.entries(exports).filter(([entry]) => entry !== "./package.json");
  return Promise.all(entries.map(async ([entry, target]) => {
    const adds = entry !== ".";
    // The main one is published as it is measured.
    if (!adds) return { entry, adds, bytes: Buffer.from(readFileSync(target.default, "utf8").replace(/\n\/\/# sourceMappingURL=.*\n$/, "")) };
    const external = ["../index.js", "./index.js", "../client.js", "./client.js", "./presence.js", "react", "react/*"];
    const { code } = await minified({ entryPoints: [target.default], external });
    return { entry, adds, bytes: Buffer.from(code) };
  }));
}
