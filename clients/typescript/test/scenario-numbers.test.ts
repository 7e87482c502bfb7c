// The table "Numbers" of tests/scenarios/README.md is true: each number has its files and tests, and all that it names
// is there.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { FOLDER, scenarios } from "./scenario/format.js";

const NUMBERS = [
  1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 18, 19, 20, 21, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 38, 40, 42, 43,
].map((n) => `S${n}`);
/** What this client does not show yet. */
const OPEN: string[] = [];
const CLIENTS = ["TypeScript", "Rust", "Python"] as const;

const rows = readFileSync(join(FOLDER, "README.md"), "utf8").split("\n").filter((line) => line.startsWith("| ")).map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()));
const numbers = new Map(rows.flatMap(([number = "", what = "", ...cells]) => (/^S\d+$/.test(number) ? [[number, { what, cells }] as const] : [])));
const runners = new Map(rows.flatMap(([layer = "", ...cells]) => (["machine", "sockets"].includes(layer) ? [[layer, cells] as const] : [])));

function links(cell: string): { text: string; path: string }[] {
  return [...cell.matchAll(/\[(.+?)\]\((.+?)\)/g)].map(([, text, path]) => ({ text: text as string, path: path as string }));
}

test("each number has a row, and each file is in the row of its number", () => {
  const ours = scenarios().map(({ number }) => number);
  const wanted = [...new Set([...NUMBERS, ...ours])].sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
  assert.deepEqual([...numbers.keys()], wanted);
  for (const [number, { what }] of numbers) {
    const files = scenarios().filter((scenario) => scenario.number === number).map(({ file }) => file);
    assert.deepEqual(links(what).map(({ path }) => path), files, number);
  }
});

test("each number is shown by this client", () => {
  const open = [...numbers].filter(([, { cells }]) => ["open", "none"].includes(cells[0] as string)).map(([number]) => number);
  assert.deepEqual(open, OPEN, "write the test and name it in the table, or name the file");
});

test("what the table names is there: layers with files and a runner, tests by their names", () => {
  for (const [number, { cells }] of numbers) {
    assert.equal(cells.length, CLIENTS.length, number);
    const layers = new Set<string>(scenarios().filter((scenario) => scenario.number === number).flatMap(({ layers = ["machine", "sockets"] }) => layers));
    for (const [i, cell] of cells.entries()) {
      const at = `${number}, ${CLIENTS[i]}`;
      const named = links(cell);
      for (const { text, path } of named) {
        assert.ok(existsSync(join(FOLDER, path)), `${at}: ${path} does not exist`);
        assert.ok(readFileSync(join(FOLDER, path), "utf8").includes(text), `${at}: ${path} has no test "${text}"`);
      }
      const words = cell.replace(/\[.+?\]\(.+?\)/g, "").split(",").map((word) => word.trim()).filter(Boolean);
      assert.ok(named.length + words.length > 0, `${at}: the cell is empty; write "open"`);
      for (const word of words) {
        if (word === "open" || word === "none") assert.equal(named.length + words.length, 1, `${at}: "${word}" stands alone`);
        else {
          assert.ok(layers.has(word), `${at}: no file of it has the layer "${word}"`);
          assert.ok(runners.get(word)?.[i]?.startsWith("["), `${at}: the table of layers has no runner for "${word}"`);
        }
      }
    }
  }
  for (const [layer, cells] of runners) for (const { path } of cells.flatMap(links)) assert.ok(existsSync(join(FOLDER, path)), `${layer}: ${path} does not exist`);
});
