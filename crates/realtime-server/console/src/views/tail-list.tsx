// The events of a tail, newest first.
import { useState } from "preact/hooks";
import type { TraceEvent, TraceRequest } from "../api/types";
import { clock, count, counted, recipients } from "../lib/format";
import { href } from "../state/route";
import { KEPT, useTail, type TailEvent } from "../state/tail";
import { Badge, Empty, Fault, Id, Raw } from "../ui/parts";
import { Payload } from "../ui/payload";
import { Table } from "../ui/table";

/** What an event says that is not a message. */
function described(event: TraceEvent): string {
  const parts = [event.topic ?? event.stream ?? "", event.origin && `by ${event.origin}`, event.code && `code ${event.code}`, event.reason, event.messages && counted(event.messages, "message"), event.roles?.length && `roles ${event.roles.join(", ")}`];
  return parts.filter(Boolean).join(", ");
}

function Content({ event }: { event: TailEvent }) {
  if (event.event === "published") return <Payload value={event.payload} />;
  return <span class="soft">{event.connection && <>connection <Id>{event.connection}</Id> </>}<Raw>{described(event)}</Raw></span>;
}

export function TailList({ request }: { request: TraceRequest }) {
  const [paused, setPaused] = useState(false);
  const { tail, clear, restart } = useTail(request, paused);
  const state = tail.error ? <Badge tone="bad">Ended</Badge> : !tail.live ? <Badge tone="plain">Connecting</Badge> : paused ? <Badge tone="warn">Paused</Badge> : <Badge tone="good">Live</Badge>;
  return (
    <>
      <div class="tail-bar">
        <span role="status" id="tail-state">{state}</span>
        <button type="button" id="tail-pause" aria-pressed={paused} disabled={!tail.live} onClick={() => setPaused(!paused)}>{paused ? "Resume" : "Pause"}</button>
        <button type="button" id="tail-clear" disabled={tail.events.length === 0} onClick={clear}>Clear</button>
        <span class="soft" id="tail-note" aria-live="polite">
          {paused && tail.waiting > 0 && `${counted(tail.waiting, "new event")} since the pause. `}
          {tail.skipped > 0 && `${counted(tail.skipped, "event was", "events were")} left out by the server: this page reads too slowly. `}
          {tail.unseen > 0 && `${counted(tail.unseen, "event")} left the list during the pause. `}
        </span>
      </div>
      <Fault error={tail.error} again={restart} />
      {(!tail.error || tail.events.length > 0) && (
        <Table<TailEvent>
          caption="Events, newest first"
          rows={tail.events}
          id={(row) => String(row.n)}
          empty={<Empty title="Nothing yet">Messages are shown here as they are published. Earlier ones are in the History of a topic.</Empty>}
          columns={[
            { name: "Time", cell: (row) => <time class="nowrap" dateTime={row.at}>{clock(row.at)}</time> },
            { name: "Offset", number: true, cell: (row) => (row.position ? <span title={`epoch ${row.position.epoch}`}>{count(row.position.offset)}</span> : <span class="soft">–</span>) },
            { name: "To", cell: (row) => <Raw>{recipients(row.to) || row.user || "–"}</Raw> },
            { name: "Type", main: true, cell: (row) => (row.type ? <Raw>{row.type}</Raw> : <Badge tone="plain">{row.event}</Badge>) },
            { name: "Content", wide: true, cell: (row) => <Content event={row} /> },
            { name: "Delivered", number: true, cell: (row) => (row.message ? <a href={href("explain", undefined, { message: row.message })} title="Explain this message">{count(row.delivered ?? 0)}</a> : null) },
          ]}
        />
      )}
      {tail.events.length >= KEPT && <p class="note">The newest {KEPT} events are shown.</p>}
    </>
  );
}
