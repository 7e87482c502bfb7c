// One topic: subscribers, presence, history, and what is published to it now.
import { useState } from "preact/hooks";
import { get, segment } from "../api/http";
import type { HistoryPage, PresencePage, SubscriberPage, TopicPage } from "../api/types";
import { bytes, clock, count, date } from "../lib/format";
import { usePoll } from "../state/poll";
import { href, type Place } from "../state/route";
import { Pager, useCursor } from "../ui/pager";
import { Empty, Fact, Facts, Fault, Raw, Tabs, Title } from "../ui/parts";
import { Payload } from "../ui/payload";
import { Table } from "../ui/table";
import { connectionColumns } from "./connection-columns";
import { TailList } from "./tail-list";

const PAGE = 50;

function Subscribers({ topic }: { topic: string }) {
  const cursor = useCursor(topic);
  const path = `/topics/${segment(topic)}/subscribers`;
  const { data, error, refresh } = usePoll((signal) => get<SubscriberPage>(path, { after: cursor.after, limit: PAGE }, signal), 2000, `${path} ${cursor.after ?? ""}`);
  return (
    <>
      <Fault error={error} again={refresh} />
      {(data || !error) && (
        <Table
          caption="Subscribers"
          rows={data?.subscribers}
          id={(row) => row.id}
          empty={<Empty title="No subscribers">Messages to this topic are delivered to no connection of this node now.</Empty>}
          columns={[...connectionColumns<SubscriberPage["subscribers"][number]>().slice(0, 3), { name: "Subscribed by", cell: (row) => row.origin }]}
        />
      )}
      <Pager cursor={cursor} next={data?.next} what="subscribers" shown={data?.subscribers.length} />
    </>
  );
}

function Presence({ topic }: { topic: string }) {
  const cursor = useCursor(topic);
  const path = `/topics/${segment(topic)}/presence`;
  const { data, error, refresh } = usePoll((signal) => get<PresencePage>(path, { after: cursor.after, limit: PAGE }, signal), 2000, `${path} ${cursor.after ?? ""}`);
  return (
    <>
      <Fault error={error} again={refresh} />
      {data && <p class="note">{count(data.count)} {data.count === 1 ? "user is" : "users are"} on the topic.</p>}
      {(data || !error) && (
        <Table
          caption="Users on the topic"
          rows={data?.users}
          id={(row) => row.user}
          empty={<Empty title="No user is on the topic">A user is on a topic while one of the user's connections is subscribed to it.</Empty>}
          columns={[
            { name: "User", main: true, wide: true, cell: (row) => <a href={href("connections", undefined, { user: row.user })}><Raw>{row.user}</Raw></a> },
            { name: "Connections", number: true, cell: (row) => (row.connections === 0 ? <span class="soft">just left</span> : count(row.connections)) },
            { name: "Public metadata", wide: true, cell: (row) => (row.metadata ? <Raw>{JSON.stringify(row.metadata)}</Raw> : <span class="soft">–</span>) },
          ]}
        />
      )}
      <Pager cursor={cursor} next={data?.next} what="users" shown={data?.users.length} />
    </>
  );
}

function History({ topic }: { topic: string }) {
  const [way, setWay] = useState<{ offset: number; epoch: string }[]>([]);
  const from = way[way.length - 1];
  const path = `/topics/${segment(topic)}/history`;
  const { data, error, refresh } = usePoll((signal) => get<HistoryPage>(path, { reverse: "true", limit: PAGE, ...from }, signal), 2000, `${path} ${from?.offset ?? ""}`);
  const oldest = data?.publications[data.publications.length - 1]?.offset;
  return (
    <>
      <Fault error={error} again={refresh} />
      {(data || !error) && (
        <Table
          caption="Messages, newest first"
          rows={data?.publications}
          id={(row) => row.id}
          empty={<Empty title="No messages are kept">Nothing was published to the topic, or its messages are older than the kept time.</Empty>}
          columns={[
            { name: "Offset", number: true, cell: (row) => count(row.offset ?? 0) },
            { name: "Time", cell: (row) => <time dateTime={row.timestamp} title={clock(row.timestamp)}>{date(row.timestamp)}</time> },
            { name: "Type", main: true, cell: (row) => <Raw>{row.type}</Raw> },
            { name: "Payload", wide: true, cell: (row) => <Payload value={row.payload} /> },
          ]}
        />
      )}
      {data && (way.length > 0 || data.more) && (
        <nav class="pager" aria-label="Pages of messages">
          <button type="button" disabled={way.length === 0} onClick={() => setWay(way.slice(0, -1))}>Newer</button>
          <button type="button" disabled={!data.more || oldest === undefined} onClick={() => oldest !== undefined && setWay([...way, { offset: oldest, epoch: data.position.epoch }])}>Older</button>
        </nav>
      )}
    </>
  );
}

export function TopicDetail({ topic, place }: { topic: string; place: Place }) {
  const show = place.query["show"] ?? "subscribers";
  const { data } = usePoll(
    async (signal) => {
      const page = await get<TopicPage>("/topics", { prefix: topic, limit: 1 }, signal);
      return page.topics.find((row) => row.topic === topic) ?? { topic, subscribers: 0 };
    },
    2000,
    topic,
  );
  const tabs = [["subscribers", "Subscribers"], ["presence", "Presence"], ["history", "History"], ["tail", "Tail"]].map(([name = "", text = ""]) => ({ name, text, href: href("topics", topic, { show: name }) }));
  return (
    <>
      <p class="crumb"><a href={href("topics")}>Topics</a></p>
      <Title actions={<a class="button" href={href("publish", undefined, { to: "topic", name: topic })}>Publish</a>}><Raw>{topic}</Raw></Title>
      <section class="panel" aria-label="Figures">
        <Facts short>
          <Fact name="Subscribers">{data ? count(data.subscribers) : "–"}</Fact>
          <Fact name="Top offset">{data?.history ? count(data.history.offset) : "–"}</Fact>
          <Fact name="Messages kept">{data?.history?.messages === undefined ? "–" : count(data.history.messages)}</Fact>
          <Fact name="Log size">{data?.history?.bytes === undefined ? "–" : bytes(data.history.bytes)}</Fact>
          <Fact name="Epoch">{data?.history ? <Raw>{data.history.epoch}</Raw> : "–"}</Fact>
        </Facts>
      </section>
      <Tabs label="Parts of the topic" current={show} tabs={tabs} />
      {show === "presence" ? <Presence topic={topic} /> : show === "history" ? <History key={topic} topic={topic} /> : show === "tail" ? <TailList request={{ topic }} /> : <Subscribers topic={topic} />}
    </>
  );
}
