// Known faults of clients, planted one at a time into the compiled sources. Each names the thread where a client of the
// field had it: docs of the table in README.md, section "Planted bugs".

export interface Mutant {
  name: string;
  thread: string;
  file: string;
  edits: [from: string, to: string, file?: string][];
  /** The driver is wrong, not the machine: only the scenarios over sockets can see it. */
  driver?: true;
}

export const MUTANTS: Mutant[] = [
  { name: "events of an older attempt act on the new one", thread: "js#393, js#426, dart#126", file: "machine/step.js", edits: [["closed(n, code, reason) { if (n === s.n)\n        lost(", "closed(n, code, reason) { lost("]] },
  { name: "a late reply completes the next subscribe", thread: "js#419", file: "machine/subscriptions.js", edits: [["if (one.asked === id) {", "{"]] },
  { name: "messages are delivered after unsubscribe", thread: "js#393, dart#128", file: "machine/recovery.js", edits: [["(one.handles.size > 0 && !one.leaving && wired(one))", "(!one.leaving && wired(one))"], ["!generation || (stream?.generation === generation && stream.handles.size > 0)", "true", "machine/step.js"]] },
  { name: "a refused token is tried for ever", thread: "js#399, go#153", file: "machine/connection.js", edits: [["if (s.refusals++) {", "if (s.refusals++ > 1e9) {"]] },
  { name: "a slow token provider is waited for without limit", thread: "dart#143", file: "machine/token.js", edits: [["arm(tokenExpired, DEADLINE);", ""]] },
  { name: "an empty token connects", thread: "dart#122", file: "machine/token.js", edits: [["typeof token !== \"string\" || !token", "typeof token !== \"string\""]] },
  { name: "the late token of a dead connection is used", thread: "js#435, dart#129, js#24", file: "machine/step.js", edits: [["if (request === s.requested)\n        token(", "token("]] },
  { name: "attempts without a floor", thread: "js#408", file: "machine/closing.js", edits: [["export const FLOOR = 100;", "export const FLOOR = 0;"]] },
  { name: "a late timer judges at once", thread: "js#398, js#417", file: "machine/timers.js", edits: [["late >= GRACE", "false"]] },
  { name: "a timer above 2^31 ms", thread: "C#24, meridian#515", file: "machine/timers.js", edits: [["Math.min(ms, LONGEST)", "ms"], ["late < 0", "false"]] },
  { name: "a gap does not move the position", thread: "js#425, dart#142", file: "machine/recovery.js", edits: [["one.at = p.position;", ";"]] },
  { name: "an offset is kept with the epoch of another session", thread: "go#160", file: "machine/recovery.js", edits: [["one.at = p.position;", "one.at = p.position && { epoch: (previous ?? p.position).epoch, offset: p.position.offset };"]] },
  { name: "what a reconnect lost is not reported", thread: "supabase-js#1599, azure#39888", file: "machine/recovery.js", edits: [["gap({ stream: one.name, to: position.offset, position, reason: \"not_resumed\" });", "one.at = position;"]] },
  { name: "a publication is forgotten with its connection", thread: "js#272", file: "machine/commands.js", edits: [["if (publishes(pending.body))\n            hold(id, pending);", "if (publishes(pending.body))\n            ;"]] },
  { name: "a handshake without an answer is waited for", thread: "dart#139, dart#162", file: "machine/connection.js", edits: [["arm(dialExpired, HANDSHAKE);", ""]] },
  { name: "a dropped socket is not closed", thread: "js#227, js#281", file: "machine/connection.js", edits: [["if (dropped && s.stage >= DIALING)", "if (dropped && s.stage > DIALING)"]] },
  { name: "one handler that throws ends all dispatch", thread: "js#394, js#391, js#414", file: "client.js", edits: [["catch (error) {\n                this.report(error);\n            }\n        }\n    }", "finally { }\n        }\n    }"]], driver: true },
  { name: "listeners keep a stopped client alive", thread: "js#389, js#390", file: "lifecycle.js", edits: [["return () => watching.abort();", "return () => { };"]], driver: true },
];
