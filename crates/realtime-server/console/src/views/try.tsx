// With --dev: connect as any user, subscribe, publish, and see each frame.
import { useState } from "preact/hooks";
import type { Receipt } from "../api/types";
import { clock, counted } from "../lib/format";
import { useStore } from "../state/store";
import { clear, command, connect, disconnect, trial, type Frame } from "../state/try";
import { TextField } from "../ui/field";
import { Badge, Empty, Raw, Title } from "../ui/parts";
import { PublishForm } from "./publish-form";

const CONTROL = new Set(["welcome", "ack", "error", "subscribed", "unsubscribed", "gap", "presence", "closing", "ping"]);
const TONES = { open: "good", waiting: "bad", connecting: "plain", closed: "plain" } as const;

const list = (text: string): string[] => text.split(",").map((entry) => entry.trim()).filter(Boolean);

function Line({ frame }: { frame: Frame }) {
  return (
    <li data-type={frame.type} data-control={CONTROL.has(frame.type)}>
      <time>{frame.timestamp ? clock(frame.timestamp) : ""}</time>
      <Raw>{frame.type}</Raw>
      <span class="frame-payload">
        {frame.offset !== undefined && <span class="soft">{frame.offset} </span>}
        {frame.topic && <Raw soft>{`${frame.topic}  `}</Raw>}
        <Raw>{JSON.stringify(frame.payload) ?? ""}</Raw>
      </span>
    </li>
  );
}

export function Try() {
  const now = useStore(trial);
  const [user, setUser] = useState("alice");
  const [roles, setRoles] = useState("admin");
  const [grants, setGrants] = useState("subscribe:**");
  const [topic, setTopic] = useState("order:123");
  const [receipt, setReceipt] = useState<Receipt>();
  const open = now.phase === "open";
  const likely = (kind: string): string => ({ user, role: list(roles)[0], connection: now.connection, topic })[kind] ?? "";
  const start = (event: Event): void => {
    event.preventDefault();
    connect({ user, roles: list(roles), grants: list(grants) });
  };
  const subscribe = (event: Event): void => {
    event.preventDefault();
    command("subscribe", topic);
  };
  return (
    <>
      <Title lead="Connect to this development server as any user, and see what the client receives.">Try</Title>
      <div class="columns try">
        <div>
          <section class="panel" aria-labelledby="who">
            <header><h2 id="who">Connect</h2><span id="state" role="status" data-state={now.phase}><Badge tone={TONES[now.phase]}>{now.text}</Badge></span></header>
            <form class="stack" onSubmit={start}>
              <div class="three">
                <TextField id="user" label="User" value={user} change={setUser} required />
                <TextField id="roles" label="Roles" value={roles} change={setRoles} max={2000} />
                <TextField id="grants" label="Grants" value={grants} change={setGrants} max={2000} />
              </div>
              <div class="form-buttons">
                <button id="connect" class="primary" disabled={now.phase !== "closed"}>Connect</button>
                <button id="disconnect" type="button" disabled={now.phase === "closed"} onClick={disconnect}>Disconnect</button>
              </div>
              <p class="hint" id="connection">{now.connection ? `${now.user} on connection ${now.connection}` : "Roles and grants are separated by commas."}</p>
            </form>
          </section>
          <section class="panel" aria-labelledby="listen">
            <header><h2 id="listen">Subscribe</h2></header>
            <form class="stack" onSubmit={subscribe}>
              <div class="beside">
                <TextField id="topic" label="Topic" value={topic} change={setTopic} required />
                <button id="subscribe" class="primary" disabled={!open}>Subscribe</button>
                <button id="unsubscribe" type="button" disabled={!open} onClick={() => command("unsubscribe", topic)}>Unsubscribe</button>
              </div>
              <p class="hint">Subscribed to: <bdi id="subscriptions">{now.subscriptions.join(", ") || "nothing"}</bdi></p>
            </form>
          </section>
          <section class="panel" aria-labelledby="send">
            <header><h2 id="send">Publish, as a backend does</h2></header>
            <PublishForm first={{ kind: "all", name: "", type: "greeting", payload: '{"text": "hello"}' }} rows={3} likely={likely} done={setReceipt}>
              <p id="receipt" class="hint" role="status">{receipt && `delivered to ${counted(receipt.delivered, "connection")}, id ${receipt.id}`}</p>
            </PublishForm>
          </section>
        </div>
        <section class="panel" aria-labelledby="received">
          <header>
            <h2 id="received">Received</h2>
            <button id="clear" type="button" class="small" disabled={now.frames.length === 0} onClick={clear}>Clear</button>
          </header>
          {now.frames.length === 0 ? <Empty title="Nothing yet">Connect, then publish something.</Empty> : <ul id="messages" class="frames">{now.frames.map((frame) => <Line key={frame.n} frame={frame} />)}</ul>}
        </section>
      </div>
    </>
  );
}
