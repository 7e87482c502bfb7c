// A program that uses a generated contract: the right uses compile, and each wrong one is an error.
import type { Case0, Streams, Topics } from "./topics.js";

// The comparison of patterns of the TypeScript client, part by part.
type Parts<P extends string, T extends string> =
  P extends "**" ? true
  : P extends `${infer PH}:${infer PT}`
    ? (T extends `${infer TH}:${infer TT}` ? (PH extends "*" ? Parts<PT, TT> : TH extends PH ? Parts<PT, TT> : false) : false)
  : T extends `${string}:${string}` ? false
  : P extends "*" ? true
  : T extends P ? true : false;
type Match<M, T extends string> =
  T extends keyof M & string ? T : { [P in keyof M & string]: Parts<P, T> extends true ? P : never }[keyof M & string];
type Message<M, T extends string> =
  M[Match<M, T> & keyof M] extends infer Types ? { [K in keyof Types & string]: { type: K; payload: Types[K] } }[keyof Types & string] : never;

declare function on<T extends string, K extends Message<Topics, T>["type"]>(
  topic: [Match<Topics, T>] extends [never] ? never : T,
  type: K,
  handler: (message: Extract<Message<Topics, T>, { type: K }>) => void,
): void;

// A contract is what a client takes as its type parameter.
declare function connect<M extends Record<string, Record<string, unknown>>>(): M;
connect<Topics>();
connect<Streams>();

on("case0:a:b:c", "flat object", (m) => m.payload.total.toFixed());
on("case0:a:b:c:d", "flat object", ({ payload }: { payload: Case0 }) => payload.note?.length);
declare const id: string;
on(`case0:${id}:b:c`, "flat object", (m) => m.payload.id.length);
// @ts-expect-error no pattern matches: it has too few parts
on("case0:a:b", "flat object", () => {});
// @ts-expect-error no such topic
on("orders:1", "flat object", () => {});
// @ts-expect-error no such message type
on("case0:a:b:c", "flat objekt", () => {});
// @ts-expect-error no such field with this type: it is a number
on("case0:a:b:c", "flat object", (m) => m.payload.total.length);
// @ts-expect-error it may be missing
on("case0:a:b:c", "flat object", (m) => m.payload.note.length);
// @ts-expect-error a stream without messages
on("empty", "flat object", () => {});

// A stream whose other types are open: the known ones are checked all the same.
const known: Streams["all"]["flat object"] = { id: "1", total: 2 };
const other: Streams["all"]["anything else"] = [1];
void known;
void other;
// @ts-expect-error a field is missing
const wrong: Streams["user"]["flat object"] = { id: "1" };
void wrong;
