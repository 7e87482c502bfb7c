// The scenario files are what their schema says, and a change of one is seen.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { difference, FOLDER, scenarios } from "./scenario/format.js";

test("every scenario file fits the schema", () => {
  const validate = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(JSON.parse(readFileSync(`${FOLDER}scenario.schema.json`, "utf8")));
  const files = scenarios();
  assert.ok(files.length >= 40, `${files.length} files`);
  for (const { file, ...scenario } of files) {
    assert.ok(validate(scenario), `${file}: ${JSON.stringify(validate.errors)}`);
    assert.equal(file.slice(0, 3).toUpperCase().replace("S0", "S"), scenario.number, file);
  }
  const [{ file: _, ...one }] = scenarios() as [any];
  assert.ok(!validate({ ...one, steps: [{ expects: {} }] }), "a misspelt step is refused");
});

test("a pattern fits by the fields that it names", () => {
  assert.equal(difference({ a: 1 }, { a: 1, b: 2 }), undefined);
  assert.equal(difference({ a: [{ b: { $any: true } }], c: { $absent: true } }, { a: [{ b: null }] }), undefined);
  assert.equal(difference({ a: { $min: 1, $max: 2 } }, { a: 2 }), undefined);
  for (const [pattern, value] of [[{ a: 1 }, {}], [[1], [1, 2]], [{ a: { $min: 3 } }, { a: 2 }], [{ a: { $absent: true } }, { a: 1 }], [{ constructor: { $any: true } }, {}]]) {
    assert.notEqual(difference(pattern, value), undefined, JSON.stringify([pattern, value]));
  }
});
