// The step in progress: its state, its time, its random number and its effects. `step` sets them at its beginning, so
// that no function of the machine has to hand them on. A step runs to its end without any code of the application, so
// it is never entered twice.
import { RESUMING } from "./phases.js";
import type { Effect, Emission, Failure, Replied, State, Stream } from "./types.js";

export let s: State;
export let now: number;
export let random: number;
let effects: Effect[];

/** Begins a step; returns the list that its effects go to. */
export function begin(state: State, at: number, drawn: number): Effect[] {
  s = state;
  now = at;
  random = drawn;
  return (effects = []);
}

export function effect(...one: Effect): void {
  effects.push(one);
}

/** Something for the application; with a generation, as long as that subscription is wanted. */
export function emit<K extends Emission[0]>(kind: K, value: Extract<Emission, [K, ...unknown[]]>[1], stream?: Stream, generation = stream?.generation): void {
  effects.push([kind, value, stream, generation] as Emission);
}

export function failure(code: string, message: string, retry = false): Failure {
  return { code, message, status: 0, retry };
}

/** A number that no attempt, token request, timer or subscription of this client has had. */
export function fresh(): number {
  return ++s.lastNumber;
}

/** Whether the server reads commands. */
export function open(): boolean {
  return s.stage >= RESUMING;
}

/** Sends a command of the machine itself; returns its id. Ids rise over the client's life, never per connection. */
export function sendOwn(action: string, replied: Replied, fields: object = {}, stream?: Stream): number {
  const id = s.nextId++;
  s.sent.set(id, { replied, stream });
  effect("send", s.n, { action, ...fields, id });
  return id;
}
