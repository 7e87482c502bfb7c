import { useRealtime, useSubscription } from "@realtime/client/react";
import { useEffect, useRef, useState } from "react";
import type { Topics, Typing } from "./topics";

const TYPING_MS = 3_000;

/** Whether messages of a topic were lost since the component was mounted. */
export function useGap(topic: string): boolean {
  const rt = useRealtime<Topics>();
  const [lost, setLost] = useState(false);
  useEffect(() => rt.onGap(({ stream }) => { if (stream === `topic:${topic}`) setLost(true); }), [rt, topic]);
  return lost;
}

interface Pending { key: number; text: string; error?: string }

/** Messages that are not sent yet: they wait for a connection, and are published once, however often it is lost. */
export function useOutbox(topic: `room:${string}`, user: string) {
  const rt = useRealtime<Topics>();
  const [pending, setPending] = useState<Pending[]>([]);
  const next = useRef(0);
  const send = (text: string) => {
    const key = next.current++;
    setPending((all) => [...all, { key, text }]);
    rt.publish(topic, "said", { from: user, text }).then(
      () => setPending((all) => all.filter((one) => one.key !== key)),
      ({ message }: Error) => setPending((all) => all.map((one) => (one.key === key ? { ...one, error: message } : one))),
    );
  };
  return { pending, send };
}

/** Who is typing, and what says that this user is: on a topic without history, at most every other second. */
export function useTyping(topic: `room:${string}`, user: string) {
  const rt = useRealtime<Topics>();
  const [typing, setTyping] = useState<Record<string, number>>({});
  const publishedAt = useRef(0);

  const remove = (name: string) => setTyping(({ [name]: _, ...others }) => others);
  useSubscription<Typing>(`${topic}:typing`, "typing", ({ payload }) => setTyping((all) => ({ ...all, [payload.from]: Date.now() })));
  useEffect(() => rt.on(topic, "said", ({ payload }) => remove(payload.from)), [rt, topic]);
  useEffect(() => {
    const timers = Object.entries(typing).map(([name, since]) => setTimeout(remove, since + TYPING_MS - Date.now(), name));
    return () => timers.forEach(clearTimeout);
  }, [typing]);

  const publish = () => {
    if (Date.now() - publishedAt.current < TYPING_MS / 2 || rt.state.phase !== "connected") return;
    publishedAt.current = Date.now();
    rt.publish(`${topic}:typing`, "typing", { from: user }, { echo: false }).catch(() => {});
  };

  const names = Object.keys(typing);
  const text = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
  return { text, publish };
}
