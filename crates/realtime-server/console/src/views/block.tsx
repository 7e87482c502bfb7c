// Blocking a user: closes the user's connections and refuses the user's tokens for a time.
import { useState } from "preact/hooks";
import { post } from "../api/http";
import type { Revocation } from "../api/types";
import { counted, date } from "../lib/format";
import { say } from "../state/notices";
import { Dialog } from "../ui/dialog";
import { SelectField, TextField } from "../ui/field";

const TIMES: [string, string][] = [
  ["10m", "10 minutes"],
  ["1h", "1 hour"],
  ["24h", "1 day"],
  ["168h", "7 days"],
];

export function BlockUser({ user, close, done }: { user?: string; close(): void; done?: () => void }) {
  const [name, setName] = useState(user ?? "");
  const [time, setTime] = useState("1h");
  const [reason, setReason] = useState("");
  const act = async (): Promise<void> => {
    const made = await post<Revocation & { disconnected: number }>("/revocations", { user: name, for: time, ...(reason && { reason }) });
    say(`${name} is blocked until ${date(made.until)}. ${counted(made.disconnected, "connection was", "connections were")} closed.`);
    done?.();
  };
  return (
    <Dialog title={user ? `Block ${user}?` : "Block a user"} action="Block" danger act={act} close={close}>
      <p>All connections of the user to this server are closed, and every token of the user is refused until the time is over. You can end it earlier under Revocations.</p>
      {user === undefined && <TextField id="block-user" label="User" value={name} change={setName} required />}
      <SelectField id="block-time" label="For" value={time} change={setTime} options={TIMES} />
      <TextField id="block-reason" label="Reason, sent to the clients" value={reason} change={setReason} max={100} placeholder="optional" />
    </Dialog>
  );
}
