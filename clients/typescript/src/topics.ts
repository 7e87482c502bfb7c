// The types of topics: which message types, with which payloads, a topic has. Patterns are compared part by part, as
// the server does: `*` is one part, `**` at the end one or more.
import type { Message } from "./machine/types.js";

/** For each pattern of topics, the payload of each message type. */
export type Topics = Record<string, Record<string, unknown>>;

type Parts<P extends string, T extends string> =
  P extends "**" ? true
  : P extends `${infer PH}:${infer PT}`
    ? (T extends `${infer TH}:${infer TT}` ? (PH extends "*" ? Parts<PT, TT> : TH extends PH ? Parts<PT, TT> : false) : false)
  : T extends `${string}:${string}` ? false
  : P extends "*" ? true
  : T extends P ? true : false;

/** The patterns of `M` that match the topic or pattern `T`. */
export type Match<M, T extends string> =
  T extends keyof M & string ? T : { [P in keyof M & string]: Parts<P, T> extends true ? P : never }[keyof M & string];

/** A topic that `M` knows, or a compile error: `never`. */
export type Known<M, T extends string> = [Match<M, T>] extends [never] ? never : T;

/** The message types of a topic. */
export type TypeOf<M, T extends string> = keyof M[Match<M, T> & keyof M] & string;

/** The payload of a message type of a topic. */
export type PayloadOf<M, T extends string, K extends string> = M[Match<M, T> & keyof M] extends infer Types ? (K extends keyof Types ? Types[K] : never) : never;

/** A message of a topic; `message.type` narrows `message.payload`. */
export type MessageOf<M, T extends string, K extends string = TypeOf<M, T>> = {
  [Type in K]: {
    type: Type;
    payload: PayloadOf<M, T, Type>;
    timestamp: string;
    id: string;
    topic?: string;
    stream?: string;
    offset?: number;
  };
}[K];

/** A message of a stream's history: that of its topic. Of a stream that `M` does not know, the payload is `unknown`. */
export type PublicationOf<M, S extends string> =
  S extends `topic:${infer T}` ? ([Match<M, T>] extends [never] ? Message : MessageOf<M, T>) : Message;

/** A client without types: every topic, every message type, any payload. */
export type Untyped = Record<string, Record<string, any>>;
