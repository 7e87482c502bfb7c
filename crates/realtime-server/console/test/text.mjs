// Addresses of views, and numbers and times as text.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, duration, rate, recipients, short } from "../src/lib/format.ts";
import { href, parse } from "../src/state/route.ts";

test("a view's address leads back to it, whatever the name of the thing", () => {
  for (const item of ["order:123", "a/b", "50%", "?x=1&y", "#", "é ü", "<b>"]) {
    const { view, item: back, query } = parse(href("topics", item, { show: "history", "a b": item, left: "" }));
    assert.deepEqual({ view, back, query }, { view: "topics", back: item, query: { show: "history", "a b": item } });
  }
  assert.equal(parse("").view, "overview");
  assert.deepEqual(parse("#/connections?user=alice").query, { user: "alice" });
  assert.equal(parse("#/topics/%zz").item, "%zz");
});

test("numbers are short and keep their meaning", () => {
  assert.deepEqual([0, 1, 1023, 1024, 1536, 10_485_760].map(bytes), ["0 B", "1 B", "1023 B", "1.0 KiB", "1.5 KiB", "10 MiB"]);
  assert.deepEqual([0, 0.01, 0.5, 9.96, 12.4, 12_345].map(rate), ["0", "< 0.1", "0.5", "10.0", "12", "12,345"]);
  assert.deepEqual([0.5, 500, 1500, 2_000_000].map(short), ["0.5", "500", "1.5k", "2M"]);
  assert.deepEqual([-5, 900, 59_000, 61_000, 3_600_000, 5_400_000, 90_000_000].map(duration), ["0 s", "1 s", "59 s", "1 min", "1 h", "1 h 30 min", "1 d 1 h"]);
});

test("recipients are words", () => {
  assert.equal(recipients("all"), "everyone");
  assert.equal(recipients({ topic: "order:1" }), "topic order:1");
  assert.equal(recipients([{ user: "alice" }, { role: "admin" }]), "user alice, role admin");
  assert.equal(recipients(undefined), "");
});
