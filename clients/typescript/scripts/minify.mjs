// One ESM bundle for browsers, by esbuild, then minified by terser. What this package ships and what its sizes are
// compared with are made by the same two steps.
import { build } from "esbuild";
import { minify } from "terser";

/** `input`: options of esbuild. Returns the code and its source map. */
export async function minified(input) {
  const options = { bundle: true, format: "esm", platform: "browser", target: "es2022", write: false, sourcemap: "external", outfile: "bundle.js", logLevel: "error", legalComments: "none" };
  const { outputFiles } = await build({ ...options, minify: true, ...input });
  const [map, code] = outputFiles.map(({ text }) => text);
  const result = await minify(code, { module: true, ecma: 2022, compress: { passes: 3 }, sourceMap: { content: map, includeSources: true } });
  return { code: result.code, map: result.map };
}
