// Reading JSON with places.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../src/lib/json.ts";

test("what JSON.parse accepts is accepted with the same value, and what it refuses is refused", () => {
  const texts = ["1", "-0.5e+3", "\"a\\u00e9\\n\"", "[]", "[1, [2], {}]", "{\"a\": {\"b\": [null, true, false]}}", " \n{ } \t", "\"\\ud800\"",
    "", " ", "01", "1.", "+1", ".5", "1 2", "nul", "truex", "[1,]", "[,1]", "{\"a\":}", "{\"a\" 1}", "{a: 1}", "{'a': 1}", "{\"a\": 1,}", "[1", "{", "\"", "\"\\x\"", "\"a\nb\"", "\"\\", "undefined", "NaN", "\u00a01"];
  for (const text of texts) {
    let expected;
    try {
      expected = { ok: true, value: JSON.parse(text) };
    } catch {
      expected = { ok: false };
    }
    const { ok, value } = parseJson(text);
    assert.deepEqual(ok ? { ok, value } : { ok }, expected, text);
  }
});

test("an error has its line and column", () => {
  const read = parseJson('{\n  "a": 1,\n  b: 2\n}');
  assert.deepEqual([read.ok, read.at, read.message], [false, { line: 3, column: 3 }, "Expected a name in double quotes, found `b`."]);
  assert.deepEqual(parseJson("").at, { line: 1, column: 1 });
  assert.deepEqual(parseJson('["abc').at, { line: 1, column: 2 });
  assert.match(parseJson("[".repeat(70) + "]".repeat(70)).message, /more than 64/);
});

test("a pointer is found where its value is", () => {
  const read = parseJson('{\n "a/b": [10,\n  {"~": 1}]\n}');
  assert.deepEqual(read.find(""), { line: 1, column: 1 });
  assert.deepEqual(read.find("/a~1b/0"), { line: 2, column: 10 });
  assert.deepEqual(read.find("/a~1b/1/~0"), { line: 3, column: 9 });
  assert.equal(read.find("/none"), undefined);
});
