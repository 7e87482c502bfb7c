// The connections of the node: search, and pages by cursor.
import { useState } from "preact/hooks";
import { get } from "../api/http";
import type { ConnectionPage } from "../api/types";
import { useChange } from "../state/change";
import { usePoll } from "../state/poll";
import { go, href, type Place } from "../state/route";
import { TextField } from "../ui/field";
import { Pager, useCursor } from "../ui/pager";
import { Empty, Fault, Title } from "../ui/parts";
import { Table } from "../ui/table";
import { connectionColumns } from "./connection-columns";

const PAGE = 50;
const FIELDS = [
  ["user", "User", "alice"],
  ["role", "Role", "admin"],
  ["topic", "Topic", "order:123"],
  ["address", "Address", "203.0.113.7"],
  ["client", "Client", "tab-7f3a"],
] as const;

function Search({ query }: { query: Record<string, string> }) {
  const [wanted, setWanted] = useState(query);
  useChange(JSON.stringify(query), () => setWanted(query));
  const any = FIELDS.some(([name]) => query[name]);
  const search = (event: Event): void => {
    event.preventDefault();
    go(href("connections", undefined, wanted));
  };
  return (
    <form class="search many" role="search" aria-label="Connections" onSubmit={search}>
      {FIELDS.map(([name, label, example]) => (
        <TextField key={name} id={`search-${name}`} label={label} placeholder={example} value={wanted[name] ?? ""} change={(value) => setWanted((old) => ({ ...old, [name]: value }))} />
      ))}
      <div class="search-buttons">
        <button id="search" class="primary">Search</button>
        {any && <a class="button" href={href("connections")}>Clear</a>}
      </div>
    </form>
  );
}

export function Connections({ place }: { place: Place }) {
  const { user, role, topic, address, client } = place.query;
  const filter = { user, role, topic, address, client };
  const about = JSON.stringify(filter);
  const cursor = useCursor(about);
  const { data, error, refresh } = usePoll(
    (signal) => get<ConnectionPage>("/connections", { ...filter, after: cursor.after, limit: PAGE }, signal),
    2000,
    `${about} ${cursor.after ?? ""}`,
  );
  const filtered = Object.values(filter).some(Boolean);
  const empty = filtered ? (
    <Empty title={data?.next ? "No connection on this page matches" : "No connection matches"}>
      {data?.next ? <>The server looks at a part of its connections at a time. Press Next to look at more.</> : <>A search compares whole values. Check the spelling, or <a href={href("connections")}>show all connections</a>.</>}
    </Empty>
  ) : (
    <Empty title="No client is connected">When a client connects to the WebSocket endpoint with a token, it is listed here.</Empty>
  );
  return (
    <>
      <Title lead="Clients that are connected to this node now. Open one to see its subscriptions or to close it.">Connections</Title>
      <Search query={place.query} />
      <Fault error={error} again={refresh} />
      {(data || !error) && <Table caption="Connections" rows={data?.connections} id={(row) => row.id} columns={connectionColumns()} empty={empty} />}
      <Pager cursor={cursor} next={data?.next} what="connections" shown={data?.connections.length} />
    </>
  );
}
