// Why a user receives a message, or does not.
import { useEffect, useState } from "preact/hooks";
import { post } from "../api/http";
import type { ExplainedConnection, ExplainRequest, Explanation } from "../api/types";
import { count, counted, date, recipients } from "../lib/format";
import { useChange } from "../state/change";
import { go, href, type Place } from "../state/route";
import { SelectField, TextField } from "../ui/field";
import { Badge, Empty, Fact, Facts, Fault, Id, Marked, Raw, Title } from "../ui/parts";
import { Table } from "../ui/table";
import { route, TargetField } from "../ui/target";
import { Blocked } from "./blocked";

const REASONS: Record<string, string> = {
  queued: "Waits in its queue",
  written: "Written to the socket",
  dropped: "Dropped from its queue",
  catching_up: "Reads the history",
  would_receive: "Would receive it",
  no_connection: "Not connected",
  connected_later: "Connected later",
  not_a_recipient: "Not a recipient",
  not_subscribed: "Not subscribed",
  subscribed_later: "Subscribed later",
  origin_left_out: "Left out as the sender",
};
/** Reasons that look right at first sight and are not a delivery. */
const LATE = new Set(["dropped", "catching_up", "queued"]);

/** The text with a capital letter at its start. */
const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const tone = (row: ExplainedConnection): "good" | "warn" | "bad" => (LATE.has(row.reason) ? "warn" : row.matched ? "good" : "bad");

/** Without a connection it is not known whether the user received a past message. */
const verdict = ({ matched, connections, message }: Explanation): string => (matched ? "yes" : message && connections.length === 0 ? "unknown" : "no");

function Answer({ answer }: { answer: Explanation }) {
  return (
    <div role="status" id="explanation">
      <section class={`panel verdict ${verdict(answer)}`}>
        <p class="verdict-line"><Marked>{sentence(answer.detail)}</Marked></p>
        <Blocked user={answer.user} />
        <Facts>
          <Fact name="User"><a href={href("connections", undefined, { user: answer.user })}><Raw>{answer.user}</Raw></a></Fact>
          <Fact name="Recipients"><Raw>{recipients(answer.to)}</Raw></Fact>
          {answer.message && <Fact name="Published">{date(answer.message.published_at)}</Fact>}
          {answer.message && <Fact name="Delivered to">{counted(answer.message.delivered, "connection")} in all</Fact>}
          {answer.message?.position && <Fact name="Offset">{count(answer.message.position.offset)}</Fact>}
        </Facts>
      </section>
      {answer.connections.length > 0 && (
        <Table
          caption="Connections of the user"
          rows={answer.connections}
          id={(row) => row.connection}
          empty=""
          columns={[
            { name: "Connection", main: true, cell: (row) => <a href={href("connections", row.connection)}><Id>{row.connection}</Id></a> },
            { name: "Result", cell: (row) => <Badge tone={tone(row)}>{REASONS[row.reason] ?? row.reason}</Badge> },
            { name: "Why", wide: true, cell: (row) => <><Marked>{sentence(row.detail)}</Marked>{row.topics.length > 0 && <span class="soft"> It is subscribed to <Raw>{row.topics.join(", ")}</Raw>.</span>}</> },
          ]}
        />
      )}
    </div>
  );
}

function request(query: Record<string, string>): ExplainRequest | undefined {
  const { user, message, to, name = "" } = query;
  if (!user) return undefined;
  if (message) return { user, message };
  return to && (name || to === "all") ? { user, to: route(to, name) } : undefined;
}

export function Explain({ place }: { place: Place }) {
  const { query } = place;
  const [about, setAbout] = useState(query["to"] ? "to" : "message");
  const [user, setUser] = useState(query["user"] ?? "");
  const [message, setMessage] = useState(query["message"] ?? "");
  const [target, setTarget] = useState({ kind: query["to"] ?? "topic", name: query["name"] ?? "" });
  const [result, setResult] = useState<{ answer?: Explanation; error?: Error }>({});
  const asked = JSON.stringify(query);
  const [again, setAgain] = useState(0);

  useChange(asked, () => {
    setUser(query["user"] ?? "");
    setMessage(query["message"] ?? "");
    if (query["to"]) setTarget({ kind: query["to"], name: query["name"] ?? "" });
    if (query["to"] || query["message"]) setAbout(query["to"] ? "to" : "message");
  });
  useEffect(() => {
    const body = request(query);
    setResult({});
    if (!body) return;
    let current = true;
    post<Explanation>("/explain", body).then(
      (answer) => current && setResult({ answer }),
      (error: Error) => current && setResult({ error }),
    );
    return () => {
      current = false;
    };
  }, [asked, again]);

  const submit = (event: Event): void => {
    event.preventDefault();
    const next = href("explain", undefined, about === "message" ? { user, message: message.trim() } : { user, to: target.kind, name: target.kind === "all" ? "" : target.name });
    if (location.hash === next) setAgain(again + 1);
    else go(next);
  };
  return (
    <>
      <Title lead="Why a user receives a message, or does not: for a message that was published, or for one that would be published now.">Explain</Title>
      <form class="search" onSubmit={submit}>
        <TextField id="explain-user" label="User" placeholder="alice" value={user} change={setUser} required />
        <SelectField id="explain-about" label="About" value={about} change={setAbout} options={[["message", "a past message"], ["to", "a new message"]]} />
        {about === "message" ? (
          <TextField id="explain-message" label="Message id" placeholder="from a receipt, a frame or the tail" value={message} change={setMessage} required mono />
        ) : (
          <TargetField id="explain-target" label="To" kind={target.kind} name={target.name} change={(kind, name) => setTarget({ kind, name })} />
        )}
        <div class="search-buttons"><button id="explain" class="primary">Explain</button></div>
      </form>
      <Fault error={result.error} />
      {result.answer ? <Answer answer={result.answer} /> : !result.error && <Empty title="No question yet">Give a user and a message id, or a user and recipients. The server remembers the most recent messages only.</Empty>}
    </>
  );
}
