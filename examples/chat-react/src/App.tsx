import { RealtimeProvider, useConnectionState } from "@realtime/client/react";
import { useEffect, useState, type FormEvent } from "react";
import { Room } from "./Room";
import { currentSession, signIn, type Session } from "./session";

const ROOMS = ["general", "help", "random"];

const loading = currentSession();

export function App() {
  const [session, setSession] = useState<Session | null>();
  useEffect(() => void loading.then(setSession), []);
  if (session === undefined) return null;
  if (session === null) return <SignIn onSession={setSession} />;
  return (
    <RealtimeProvider client={session.rt}>
      <Chat user={session.user} />
    </RealtimeProvider>
  );
}

function SignIn({ onSession }: { onSession: (session: Session | null) => void }) {
  const [error, setError] = useState("");
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name"));
    signIn(name).then(onSession, (failed: Error) => setError(failed.message));
  };
  return (
    <form className="sign-in" onSubmit={submit}>
      <h1>Chat</h1>
      <label htmlFor="name">Your name</label>
      <input id="name" name="name" autoComplete="username" maxLength={32} required autoFocus />
      <p className="error" role="alert">{error}</p>
      <button>Sign in</button>
    </form>
  );
}

function Chat({ user }: { user: string }) {
  const [room, setRoom] = useState(ROOMS[0]!);
  return (
    <div className="chat">
      <header>
        <h1>Chat</h1>
        <Connection />
        <p className="me">Signed in as <b>{user}</b></p>
      </header>
      <nav aria-label="Rooms">
        <ul id="rooms">
          {ROOMS.map((name) => (
            <li key={name}><button aria-current={name === room} onClick={() => setRoom(name)}># {name}</button></li>
          ))}
        </ul>
      </nav>
      <Room key={room} topic={`room:${room}`} user={user} />
    </div>
  );
}

function Connection() {
  const { phase, retryAt, reason } = useConnectionState();
  const seconds = Math.max(1, Math.ceil(((retryAt ?? 0) - Date.now()) / 1_000));
  const text = {
    connecting: "Connecting…",
    connected: "Connected",
    waiting: retryAt ? `Disconnected. Next attempt in ${seconds} s` : "Offline",
    stopped: reason?.code === "signed_out" ? "Signed out: reload the page to sign in" : `Stopped: ${reason?.message}`,
  }[phase];
  return <p id="state" className="state" role="status" data-phase={phase}>{text}</p>;
}
