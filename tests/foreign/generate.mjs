// Generates TypeScript from JSON Schemas with `json-schema-to-typescript`.
//
//   node generate.mjs docs/schemas OUT server-frame client-command …
import { writeFileSync } from "node:fs";
import { compileFromFile } from "json-schema-to-typescript";

const [schemas, out, ...names] = process.argv.slice(2);
for (const name of names) {
  writeFileSync(`${out}/${name}.ts`, await compileFromFile(`${schemas}/${name}.schema.json`));
}
