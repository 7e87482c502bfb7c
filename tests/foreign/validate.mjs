// Validates JSON values, one per line of standard input, against a JSON Schema file with `ajv`. Answers one line each:
// `ok`, or what is wrong.
//
//   node validate.mjs docs/schemas/server-frame.schema.json < frames
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const ajv = addFormats(new Ajv2020({ strict: true, strictTypes: false, strictRequired: false, allErrors: true }));
for (const bits of ["uint8", "uint16", "uint32", "uint64", "int64", "uint", "time span"]) ajv.addFormat(bits, true);
const validate = ajv.compile(JSON.parse(readFileSync(process.argv[2], "utf8")));
for await (const line of createInterface({ input: process.stdin })) {
  console.log(validate(JSON.parse(line)) ? "ok" : ajv.errorsText(validate.errors));
}
