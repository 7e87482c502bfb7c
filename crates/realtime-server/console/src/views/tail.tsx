// Follow what is published: to everything, to topics of a pattern, to a user, a role or everyone.
import { useState } from "preact/hooks";
import type { TraceRequest } from "../api/types";
import { useChange } from "../state/change";
import { go, href, type Place } from "../state/route";
import { SelectField, TextField } from "../ui/field";
import { Empty, Title } from "../ui/parts";
import { TailList } from "./tail-list";

const KINDS: [string, string][] = [
  ["everything", "Everything"],
  ["topic", "Topics"],
  ["user", "A user"],
  ["role", "A role"],
  ["all", "Messages to everyone"],
];
const NAMES: Record<string, [label: string, example: string, hint: string]> = {
  topic: ["Topic or pattern", "order:*", "* stands for one segment, ** at the end for one or more"],
  user: ["User", "alice", "What anyone publishes to the user, to its topics and roles, or to everyone; and when the user connects, subscribes and is refused"],
  role: ["Role", "admin", ""],
};

function wanted(kind: string, name: string, type: string): TraceRequest {
  const streams: Record<string, string[]> = {
    topic: [`topic:${name}`],
    role: [`role:${name}`],
    all: ["all"],
    everything: ["topic:**", "role:*", "user", "all"],
  };
  return { ...(kind === "user" ? { user: name } : { streams: streams[kind] ?? [] }), ...(type && { type }) };
}

export function TailView({ place }: { place: Place }) {
  const { kind: running, name: runningName = "", type: runningType = "" } = place.query;
  const [kind, setKind] = useState(running ?? "everything");
  const [name, setName] = useState(runningName);
  const [type, setType] = useState(runningType);
  useChange(JSON.stringify(place.query), () => {
    if (running) setKind(running);
    setName(runningName);
    setType(runningType);
  });
  const named = NAMES[kind];
  const request = running && (runningName || !NAMES[running]) ? wanted(running, runningName, runningType) : undefined;
  const start = (event: Event): void => {
    event.preventDefault();
    go(href("tail", undefined, { kind, name: named ? name : "", type }));
  };
  return (
    <>
      <Title lead="Messages as they are published on this node, with their offsets. A tail never slows a publication: what this page reads too slowly is left out and counted.">Tail</Title>
      <form class="search" onSubmit={start}>
        <SelectField id="tail-kind" label="Follow" value={kind} change={setKind} options={KINDS} />
        {named && <TextField id="tail-name" label={named[0]} placeholder={named[1]} hint={named[2]} value={name} change={setName} required />}
        <TextField id="tail-type" label="Only messages of type" placeholder="any" value={type} change={setType} />
        <div class="search-buttons">
          <button id="tail-start" class="primary">{request ? "Apply" : "Start"}</button>
          {request && <a class="button" id="tail-stop" href={href("tail")}>Stop</a>}
        </div>
      </form>
      {request ? <TailList key={JSON.stringify(request)} request={request} /> : <Empty title="The tail is not running">Choose what to follow and press Start.</Empty>}
    </>
  );
}
