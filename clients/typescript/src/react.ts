// React hooks. The provider never starts or stops a client: its owner does. Subscriptions are counted and linger for
// a second, so that StrictMode, hot reload and a change of the route are one subscription on the wire.
import { createContext, createElement, useCallback, useContext, useEffect, useRef, useState, useSyncExternalStore, type ReactElement, type ReactNode } from "react";
import type { ConnectionState, Message, Position, Realtime, SubscribeOptions, Topics, Untyped } from "./index.js";
import { presence, type PresenceUser } from "./presence.js";

const Context = createContext<Realtime<any> | undefined>(undefined);

/** On a server there is no connection. */
const ON_SERVER: ConnectionState = { phase: "connecting", since: 0 };

export function RealtimeProvider({ client, children }: { client: Realtime<any>; children?: ReactNode }): ReactElement {
  return createElement(Context.Provider, { value: client }, children);
}

export function useRealtime<M extends Topics = Untyped>(): Realtime<M> {
  const client = useContext(Context);
  if (!client) throw new Error("there is no client: put <RealtimeProvider client={…}> above this component");
  return client;
}

export function useConnectionState(): ConnectionState {
  const rt = useRealtime();
  const subscribe = useCallback((changed: () => void) => rt.onState(changed), [rt]);
  return useSyncExternalStore(subscribe, () => rt.state, () => ON_SERVER);
}

export type Received<P> = Message & { payload: P };

export interface SubscriptionView<P> {
  /** `idle` without a topic. */
  status: "idle" | "pending" | "live" | "ended";
  /** The last message. */
  last: Received<P> | undefined;
  /** Why the subscription has ended. */
  error: Error | undefined;
}

/** The newest value, for effects that must not run again when it changes. */
function useLatest<T>(value: T): { readonly current: T } {
  const latest = useRef(value);
  useEffect(() => { latest.current = value; });
  return latest;
}

/** A value that belongs to a key: with another key, it begins anew at once, and what is late for the old key is dropped. */
function useKeyed<T>(key: unknown, initial: T): [T, (change: (before: T) => T) => void] {
  const [kept, keep] = useState({ key, value: initial });
  const current = useLatest(key);
  const set = useCallback((change: (before: T) => T) => {
    if (current.current === key) keep((before) => ({ key, value: change(before.key === key ? before.value : initial) }));
  // The initial value is that of the first render with this key.
  }, [key]);
  return [kept.key === key ? kept.value : initial, set];
}

/** Subscribes while the component is there; `null` as the topic: not now. The handler and the options may change at any time. */
export function useSubscription<P = any>(topic: string | null, type?: string, handler?: (message: Received<P>) => void, options?: SubscribeOptions): SubscriptionView<P> {
  const rt = useRealtime();
  const latest = useLatest({ handler, options });
  const idle: SubscriptionView<P> = { status: topic === null ? "idle" : "pending", last: undefined, error: undefined };
  const [view, set] = useKeyed(topic, idle);
  useEffect(() => {
    if (topic === null) return undefined;
    const receive = (message: Received<P>): void => {
      set((before) => ({ ...before, last: message }));
      latest.current.handler?.(message);
    };
    const listening = type === undefined ? rt.on(topic, receive) : rt.on(topic, type, receive);
    const subscription = rt.subscribe(topic, latest.current.options);
    const update = (): void => {
      const { state } = subscription;
      set((before) => ({ ...before, status: state.phase, error: state.phase === "ended" ? new Error(state.error.message) : undefined }));
    };
    const watching = subscription.onState(update);
    update();
    return () => {
      watching();
      listening();
      subscription.unsubscribe();
    };
  }, [rt, topic, type, set, latest]);
  return view;
}

/**
 * The newest messages of a topic, oldest first. `history`: the newest `limit` that the server keeps are loaded first, and
 * again after a gap. The token must grant that (`history:TOPIC`).
 */
export function useMessages<P = any>(topic: string | null, { limit = 100, type, history }: { limit?: number; type?: string; history?: boolean } = {}): Received<P>[] {
  const rt = useRealtime();
  const [messages, set] = useKeyed<Received<P>[]>(topic, []);
  const getState = async (): Promise<Position> => {
    const { publications, position } = await rt.history(`topic:${topic}`, { limit, reverse: true });
    set(() => publications.filter((message) => type === undefined || message.type === type).reverse() as Received<P>[]);
    return position;
  };
  useSubscription<P>(topic, type, (message) => set((before) => [...before, message].slice(-limit)), history ? { getState } : {});
  return messages;
}

/** The users who are on a topic. */
export function usePresence(topic: string | null): { users: PresenceUser[]; count: number; error: Error | undefined } {
  const rt = useRealtime();
  const [view, set] = useKeyed<{ users: PresenceUser[]; count: number; error: Error | undefined }>(topic, { users: [], count: 0, error: undefined });
  useEffect(() => {
    if (topic === null) return undefined;
    const watched = presence(rt, topic);
    const update = (): void => set(() => ({ users: [...watched.users.values()], count: watched.count, error: undefined }));
    watched.onChange(update);
    let mounted = true;
    watched.ready.then(() => { if (mounted) update(); }, (error: Error) => { if (mounted) set((before) => ({ ...before, error })); });
    return () => {
      mounted = false;
      watched.stop();
    };
  }, [rt, topic, set]);
  return view;
}
