// What is refused now: users, tokens, and tokens issued before a time.
import { useState } from "preact/hooks";
import { get, remove, segment } from "../api/http";
import type { Revocation, RevocationPage } from "../api/types";
import { date } from "../lib/format";
import { say } from "../state/notices";
import { usePoll } from "../state/poll";
import { Dialog } from "../ui/dialog";
import { Pager, useCursor } from "../ui/pager";
import { Age, Empty, Fault, Raw, Title } from "../ui/parts";
import { Table } from "../ui/table";
import { BlockUser } from "./block";

const PAGE = 50;

function named(row: Revocation): string {
  const parts = [row.user !== undefined && `user ${row.user}`, row.jti !== undefined && `token ${row.jti}`, row.issued_before && `tokens issued before ${date(row.issued_before)}`];
  return parts.filter(Boolean).join(", ");
}

export function Revocations() {
  const [blocking, setBlocking] = useState(false);
  const [ending, setEnding] = useState<Revocation>();
  const cursor = useCursor("");
  const { data, error, refresh } = usePoll((signal) => get<RevocationPage>("/revocations", { after: cursor.after, limit: PAGE }, signal), 2000, cursor.after ?? "");
  const end = async (row: Revocation): Promise<void> => {
    await remove(`/revocations/${segment(row.id)}`);
    say(`Ended: ${named(row)} is accepted again.`);
    refresh();
  };
  return (
    <>
      <Title lead="Users and tokens that this node refuses, until the time is over or you end it." actions={<button type="button" id="block" onClick={() => setBlocking(true)}>Block a user …</button>}>
        Revocations
      </Title>
      <Fault error={error} again={refresh} />
      {(data || !error) && (
        <Table
          caption="Revocations"
          rows={data?.revocations}
          id={(row) => row.id}
          empty={<Empty title="Nothing is refused">Block a user here or from one of the user's connections. Backends revoke tokens with POST /api/v1/revocations.</Empty>}
          columns={[
            { name: "Refused", main: true, wide: true, cell: (row) => <Raw>{named(row)}</Raw> },
            { name: "Reason", wide: true, cell: (row) => (row.reason ? <Raw>{row.reason}</Raw> : <span class="soft">none</span>) },
            { name: "Made", number: true, cell: (row) => <Age time={row.created_at} /> },
            { name: "Ends", number: true, cell: (row) => <Age time={row.until} future /> },
            { name: "Actions", actions: true, cell: (row) => <button type="button" class="small" aria-label={`End the revocation of ${named(row)}`} onClick={() => setEnding(row)}>End …</button> },
          ]}
        />
      )}
      <Pager cursor={cursor} next={data?.next} what="revocations" shown={data?.revocations.length} />
      {blocking && <BlockUser close={() => setBlocking(false)} done={refresh} />}
      {ending && (
        <Dialog title="End this revocation?" action="End it" act={() => end(ending)} close={() => setEnding(undefined)}>
          <p><Raw>{named(ending)}</Raw> is accepted again at once.</p>
        </Dialog>
      )}
    </>
  );
}
