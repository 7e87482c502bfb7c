// One connection: its record, what waits for it, its subscriptions; close it, or block its user.
import { useState } from "preact/hooks";
import { get, remove, segment, Problem } from "../api/http";
import type { ConnectionInfo } from "../api/types";
import { bytes, count, date } from "../lib/format";
import { say } from "../state/notices";
import { usePoll } from "../state/poll";
import { href } from "../state/route";
import { Dialog } from "../ui/dialog";
import { SelectField, TextField } from "../ui/field";
import { Age, Copy, Empty, Fact, Facts, Fault, Raw, Title } from "../ui/parts";
import { Table } from "../ui/table";
import { BlockUser } from "./block";
import { Blocked } from "./blocked";

const CODES: [string, string][] = [
  ["4200", "The client reconnects (code 4200)"],
  ["4403", "The client does not reconnect by itself (code 4403)"],
];

function Close({ connection, close, done }: { connection: ConnectionInfo; close(): void; done(): void }) {
  const [code, setCode] = useState("4200");
  const [reason, setReason] = useState("");
  const act = async (): Promise<void> => {
    const { disconnected } = await remove<{ disconnected: number }>(`/connections/${segment(connection.id)}`, { code, reason });
    say(disconnected ? `The connection of ${connection.user} is closed.` : "The connection was closed before.");
    done();
  };
  return (
    <Dialog title={`Close this connection of ${connection.user}?`} action="Close the connection" danger act={act} close={close}>
      <SelectField id="close-code" label="Afterwards" value={code} change={setCode} options={CODES} hint="To keep a client away, block its user." />
      <TextField id="close-reason" label="Reason, sent to the client" value={reason} change={setReason} max={100} placeholder="optional" />
    </Dialog>
  );
}

/** The time of a token's claim, which is in seconds. */
const claim = (seconds: number | undefined): string => (seconds === undefined ? "–" : date(seconds * 1000));

function Record({ connection: row }: { connection: ConnectionInfo }) {
  return (
    <Facts>
      <Fact name="Connection" long><Raw>{row.id}</Raw> <Copy text={row.id} what="the id of the connection" /></Fact>
      <Fact name="User"><a href={href("connections", undefined, { user: row.user })}><Raw>{row.user}</Raw></a></Fact>
      <Fact name="Roles">{row.roles.length ? <Raw>{row.roles.join(", ")}</Raw> : "none"}</Fact>
      <Fact name="Address">{row.address ? <Raw>{row.address}</Raw> : "unknown"}</Fact>
      <Fact name="Client">{row.client ? <Raw>{row.client}</Raw> : "not named"}</Fact>
      <Fact name="Opened"><Age time={row.created_at} /> <span class="soft nowrap">{date(row.created_at)}</span></Fact>
      <Fact name="Last activity"><Age time={row.last_activity} /></Fact>
      <Fact name="Frames sent">{count(row.sent_frames ?? 0)}</Fact>
      <Fact name="In its queue">{count(row.queued_messages ?? 0)} messages, {bytes(row.queued_bytes ?? 0)}</Fact>
      <Fact name="Token expires">{claim(row.token?.exp)}</Fact>
      {row.token?.jti && <Fact name="Token id"><Raw>{row.token.jti}</Raw></Fact>}
      {row.metadata && <Fact name="Metadata" long><Raw>{JSON.stringify(row.metadata)}</Raw></Fact>}
    </Facts>
  );
}

export function ConnectionDetail({ id }: { id: string }) {
  const [asked, ask] = useState<"close" | "block">();
  const { data, error, refresh } = usePoll((signal) => get<ConnectionInfo>(`/connections/${segment(id)}`, {}, signal), 2000, id);
  const gone = error instanceof Problem && error.status === 404;
  const live = data !== undefined && !gone;
  const none = () => ask(undefined);
  return (
    <>
      <p class="crumb"><a href={href("connections")}>Connections</a></p>
      <Title
        actions={live && <>
          <a class="button" href={href("tail", undefined, { kind: "user", name: data.user })}>Tail</a>
          <a class="button" href={href("explain", undefined, { user: data.user })}>Explain</a>
          <button type="button" id="close-connection" onClick={() => ask("close")}>Close …</button>
          <button type="button" id="block" class="danger" onClick={() => ask("block")}>Block user …</button>
        </>}
      >
        {data ? <Raw>{data.user}</Raw> : "Connection"}
      </Title>
      {gone ? (
        <div class="fault" role="status"><span>This connection is closed.{data && <> <Blocked user={data.user} jti={data.token?.jti} /></>}</span> <a href={href("connections", undefined, { user: data?.user })}>{data ? <>Show the connections of <Raw>{data.user}</Raw></> : "Show all connections"}</a></div>
      ) : (
        <Fault error={error} again={refresh} />
      )}
      {data && (
        <>
          <section class="panel" aria-label="Record"><Record connection={data} /></section>
          <h2 class="section">Subscriptions</h2>
          <Table
            compact
            caption="Subscriptions"
            rows={data.subscriptions}
            id={(row) => row.topic}
            empty={<Empty title="No subscriptions">The client receives what is published to everyone, to its user and to its roles.</Empty>}
            columns={[
              { name: "Topic", main: true, wide: true, cell: (row) => <a href={href("topics", row.topic)}><Raw>{row.topic}</Raw></a> },
              { name: "Subscribed by", cell: (row) => row.origin },
            ]}
          />
        </>
      )}
      {asked === "close" && data && <Close connection={data} close={none} done={refresh} />}
      {asked === "block" && data && <BlockUser user={data.user} close={none} done={refresh} />}
    </>
  );
}
