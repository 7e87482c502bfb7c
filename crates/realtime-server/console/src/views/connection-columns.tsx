// The columns of lists of connections.
import type { Connection } from "../api/types";
import { bytes, count } from "../lib/format";
import { href } from "../state/route";
import { Age, Id, Raw } from "../ui/parts";
import type { Column } from "../ui/table";

export function Queue({ connection }: { connection: Connection }) {
  const { queued_messages: messages = 0, queued_bytes: size = 0 } = connection;
  if (messages === 0) return <span class="soft">empty</span>;
  return <>{count(messages)} <span class="soft">({bytes(size)})</span></>;
}

export const userColumn = <T extends Connection>(): Column<T> => ({
  name: "User",
  main: true,
  wide: true,
  cell: (row) => <a href={href("connections", row.id)}><Raw>{row.user}</Raw></a>,
});

export const connectionColumns = <T extends Connection>(): Column<T>[] => [
  userColumn<T>(),
  { name: "Connection", minor: true, cell: (row) => <Id>{row.id}</Id> },
  { name: "Roles", cell: (row) => (row.roles.length ? <Raw>{row.roles.join(", ")}</Raw> : <span class="soft">none</span>) },
  { name: "Address", cell: (row) => (row.address ? <Raw>{row.address}</Raw> : <span class="soft">–</span>) },
  { name: "Opened", number: true, cell: (row) => <Age time={row.created_at} /> },
  { name: "Last activity", number: true, cell: (row) => <Age time={row.last_activity} /> },
  { name: "Topics", number: true, cell: (row) => count(row.subscription_count ?? 0) },
  { name: "Sent", number: true, minor: true, cell: (row) => count(row.sent_frames ?? 0) },
  { name: "Queue", number: true, cell: (row) => <Queue connection={row} /> },
];
