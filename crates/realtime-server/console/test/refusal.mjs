// Which revocation is shown for a user or a token.
import assert from "node:assert/strict";
import { test } from "node:test";
import { lasting } from "../src/state/refusal.ts";

const row = (id, rest, until = "2026-01-01T00:00:00Z") => ({ id, reason: "", created_at: "2025-01-01T00:00:00Z", until, ...rest });

test("of the revocations that refuse a user or a token, the one that ends last is shown", () => {
  const rows = [
    row("bob", { user: "bob" }, "2027-01-01T00:00:00Z"),
    row("short", { user: "alice" }),
    row("long", { user: "alice" }, "2026-02-01T00:00:00Z"),
    row("token", { jti: "t1" }, "2026-03-01T00:00:00Z"),
    row("old tokens", { user: "alice", issued_before: "2025-01-01T00:00:00Z" }, "2028-01-01T00:00:00Z"),
  ];
  assert.equal(lasting(rows, "alice")?.id, "long");
  assert.equal(lasting(rows, "alice", "t1")?.id, "token");
  assert.equal(lasting(rows, "carol"), undefined);
});
