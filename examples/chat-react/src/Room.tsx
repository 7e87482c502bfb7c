import { useConnectionState, useMessages, usePresence } from "@realtime/client/react";
import { useEffect, useLayoutEffect, useRef, type FormEvent } from "react";
import { useGap, useOutbox, useTyping } from "./hooks";
import type { Said } from "./topics";

export function Room({ topic, user }: { topic: `room:${string}`; user: string }) {
  const messages = useMessages<Said>(topic, { type: "said", limit: 100, history: true });
  const lost = useGap(topic);
  const outbox = useOutbox(topic, user);
  const typing = useTyping(topic, user);
  const { users } = usePresence(topic);
  const connected = useConnectionState().phase === "connected";
  const list = useEndOfList(messages);

  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text")).trim();
    event.currentTarget.reset();
    if (text) outbox.send(text);
  };

  return (
    <>
      <main>
        <ol ref={list} id="messages" className="messages" role="log" aria-label="Messages" tabIndex={0}>
          {lost && <li className="note">Messages were lost while you were away. This is what the server has.</li>}
          {messages.map(({ id, timestamp, payload }) => (
            <li key={id}><b>{payload.from}</b><Time of={timestamp} /><p>{payload.text}</p></li>
          ))}
        </ol>
        <ol id="outbox" className="messages" aria-label="Messages that are not sent yet">
          {outbox.pending.map(({ key, text, error }) => (
            <li key={key} className="pending">
              <b>{user}</b>{error ? <small className="error">not sent: {error}</small> : <small>{connected ? "sending…" : "waits for the connection"}</small>}<p>{text}</p>
            </li>
          ))}
        </ol>
        <p id="typing" className="typing" role="status">{typing.text}</p>
        <form className="compose" onSubmit={submit}>
          <label htmlFor="text" className="hidden">Message</label>
          <input id="text" name="text" autoComplete="off" maxLength={2000} placeholder="Message" required onInput={typing.publish} />
          <button>Send</button>
        </form>
      </main>
      <aside aria-labelledby="here-title">
        <h2 id="here-title">Here now</h2>
        <ul id="here">{users.map(({ user }) => user).sort().map((name) => <li key={name}>{name}</li>)}</ul>
      </aside>
    </>
  );
}

function Time({ of }: { of: string }) {
  return <small><time dateTime={of}>{new Date(of).toLocaleTimeString([], { timeStyle: "short" })}</time></small>;
}

/** Keeps the newest message in sight, unless the reader has scrolled up. */
function useEndOfList(messages: unknown) {
  const list = useRef<HTMLOListElement>(null);
  const atEnd = useRef(true);
  useEffect(() => {
    const { current } = list;
    const scrolled = () => { atEnd.current = current!.scrollHeight - current!.scrollTop - current!.clientHeight < 80; };
    current?.addEventListener("scroll", scrolled);
    return () => current?.removeEventListener("scroll", scrolled);
  }, []);
  useLayoutEffect(() => { if (atEnd.current) list.current?.scrollTo(0, list.current.scrollHeight); }, [messages]);
  return list;
}
