// The topics of the node, by name or by how busy they are.
import { useState } from "preact/hooks";
import { get } from "../api/http";
import type { Busiest, BusyTopic, TopicInfo, TopicPage } from "../api/types";
import { bytes, count, duration, rate } from "../lib/format";
import { useChange } from "../state/change";
import { usePoll } from "../state/poll";
import { go, href, type Place } from "../state/route";
import { TextField } from "../ui/field";
import { Pager, useCursor } from "../ui/pager";
import { Empty, Fault, Raw, Tabs, Title } from "../ui/parts";
import { Table, type Column } from "../ui/table";

const PAGE = 50;
/** The most that the server gives; a topic that is not among them is quieter than each of them. */
const RATES = 100;
const NONE = <span class="soft">–</span>;

const topicColumn = <T extends { topic: string }>(): Column<T> => ({
  name: "Topic",
  main: true,
  wide: true,
  cell: (row) => <a href={href("topics", row.topic)}><Raw>{row.topic}</Raw></a>,
});

function All({ prefix }: { prefix: string | undefined }) {
  const [wanted, setWanted] = useState(prefix ?? "");
  useChange(prefix ?? "", () => setWanted(prefix ?? ""));
  const cursor = useCursor(prefix ?? "");
  const { data, error, refresh } = usePoll(
    async (signal) => {
      const page = get<TopicPage>("/topics", { prefix, after: cursor.after, limit: PAGE }, signal);
      const busy = get<Busiest>("/topics/busiest", { limit: RATES }, signal);
      return { page: await page, rates: new Map((await busy).topics.map((row) => [row.topic, row.per_second])) };
    },
    2000,
    `${prefix ?? ""} ${cursor.after ?? ""}`,
  );
  const columns: Column<TopicInfo>[] = [
    topicColumn(),
    { name: "Subscribers", number: true, cell: (row) => count(row.subscribers) },
    { name: "Per second", number: true, cell: (row) => { const value = data?.rates.get(row.topic); return value ? rate(value) : NONE; } },
    { name: "Top offset", number: true, cell: (row) => (row.history ? count(row.history.offset) : NONE) },
    { name: "Messages kept", number: true, cell: (row) => (row.history?.messages === undefined ? NONE : count(row.history.messages)) },
    { name: "Log size", number: true, cell: (row) => (row.history?.bytes === undefined ? NONE : bytes(row.history.bytes)) },
  ];
  const search = (event: Event): void => {
    event.preventDefault();
    go(href("topics", undefined, { prefix: wanted }));
  };
  const empty = prefix ? (
    <Empty title="No topic begins so">Only topics with a subscriber are listed. <a href={href("topics")}>Show all topics</a></Empty>
  ) : (
    <Empty title="No topic has a subscriber">A topic exists while a client is subscribed to it.</Empty>
  );
  return (
    <>
      <form class="search" role="search" aria-label="Topics" onSubmit={search}>
        <TextField id="prefix" label="Topics that begin with" placeholder="order:" value={wanted} change={setWanted} />
        <div class="search-buttons">
          <button id="search" class="primary">Search</button>
          {prefix && <a class="button" href={href("topics")}>Clear</a>}
        </div>
      </form>
      <Fault error={error} again={refresh} />
      {(data || !error) && <Table caption="Topics" rows={data?.page.topics} id={(row) => row.topic} columns={columns} empty={empty} />}
      <Pager cursor={cursor} next={data?.page.next} what="topics" shown={data?.page.topics.length} />
    </>
  );
}

function Busy() {
  const { data, error, refresh } = usePoll((signal) => get<Busiest>("/topics/busiest", { limit: RATES }, signal), 2000, "");
  return (
    <>
      <p class="note">{data && data.topics.length > 0 ? `Publications of the last ${duration(data.window_ms)} that the server remembers.` : "Publications of the last minute that the server remembers."}</p>
      <Fault error={error} again={refresh} />
      {(data || !error) && (
        <Table
          compact
          caption="Topics by publications"
          rows={data?.topics}
          id={(row) => row.topic}
          empty={<Empty title="No publications in the last minute">Send one with <a href={href("publish")}>Publish</a>.</Empty>}
          columns={[
            topicColumn<BusyTopic>(),
            { name: "Publications", number: true, cell: (row) => count(row.publications) },
            { name: "Per second", number: true, cell: (row) => rate(row.per_second) },
            { name: "Subscribers", number: true, cell: (row) => count(row.subscribers) },
          ]}
        />
      )}
    </>
  );
}

export function Topics({ place }: { place: Place }) {
  const busy = place.query["by"] === "rate";
  return (
    <>
      <Title lead="Topics with subscribers on this node. Open one to see who is on it and what was published.">Topics</Title>
      <Tabs label="Order of topics" current={busy ? "rate" : "name"} tabs={[{ name: "name", text: "By name", href: href("topics") }, { name: "rate", text: "Busiest", href: href("topics", undefined, { by: "rate" }) }]} />
      {busy ? <Busy /> : <All prefix={place.query["prefix"]} />}
    </>
  );
}
