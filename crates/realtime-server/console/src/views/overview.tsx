// What the server does now: its figures, the chart of deliveries, the busiest topics, and what was refused.
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { get } from "../api/http";
import type { Busiest, Stats } from "../api/types";
import { bytes, count, counted, duration, rate } from "../lib/format";
import { usePoll } from "../state/poll";
import { href } from "../state/route";
import { figures, SPAN_MS, watchClosely, type Sample } from "../state/samples";
import { useStore } from "../state/store";
import { Chart } from "../ui/chart";
import { Badge, Empty, Raw, Title } from "../ui/parts";
import { Table } from "../ui/table";

function Stat({ name, value, note, link }: { name: string; value: string; note?: ComponentChildren; link?: string }) {
  return (
    <div class="stat">
      <dt>{link ? <a href={link}>{name}</a> : name}</dt>
      <dd>
        <span class="stat-value">{value}</span>
        {note && <span class="soft stat-note">{note}</span>}
      </dd>
    </div>
  );
}

function Stats({ stats, last }: { stats: Stats; last: Sample | undefined }) {
  const limit = stats.limits["connections"];
  return (
    <dl class="stats">
      <Stat name="Connections" value={count(stats.connections)} note={limit ? `of ${count(limit)}` : undefined} link={href("connections")} />
      <Stat name="Users" value={count(stats.users)} />
      <Stat name="Topics" value={count(stats.topics)} note={counted(stats.subscriptions, "subscription")} link={href("topics")} />
      <Stat name="Histories" value={bytes(stats.history_bytes)} note={`${count(stats.history_streams)} streams`} />
      <Stat name="Memory" value={stats.memory_bytes === undefined ? "–" : bytes(stats.memory_bytes)} />
      <Stat name="CPU" value={last?.cpu === undefined ? "–" : `${(last.cpu * 100).toFixed(last.cpu < 0.1 ? 1 : 0)} %`} note="of one core" />
    </dl>
  );
}

function Busy() {
  const { data, error } = usePoll((signal) => get<Busiest>("/topics/busiest", { limit: 8 }, signal), 2000, "busiest");
  return (
    <section class="panel" aria-labelledby="busiest">
      <header>
        <h2 id="busiest">Busiest topics</h2>
        {data && data.topics.length > 0 && <span class="soft">last {duration(data.window_ms)}</span>}
      </header>
      {error && !data ? (
        <p class="soft">{error.message}</p>
      ) : (
        <Table
          compact
          caption="The topics with the most publications"
          rows={data?.topics}
          id={(row) => row.topic}
          empty={<Empty title="No publications in the last minute">Send one with <a href={href("publish")}>Publish</a>.</Empty>}
          columns={[
            { name: "Topic", main: true, wide: true, cell: (row) => <a href={href("topics", row.topic)}><Raw>{row.topic}</Raw></a> },
            { name: "Per second", number: true, cell: (row) => rate(row.per_second) },
            { name: "Subscribers", number: true, cell: (row) => count(row.subscribers) },
          ]}
        />
      )}
    </section>
  );
}

function Refusals({ stats }: { stats: Stats }) {
  const rows = Object.entries(stats.refusals_total).sort(([, a], [, b]) => b - a);
  return (
    <section class="panel" aria-labelledby="refusals">
      <header>
        <h2 id="refusals">Refused since the start</h2>
      </header>
      <Table
        compact
        caption="Refused clients and callers of the API, by reason"
        rows={rows}
        id={([reason]) => reason}
        empty={<Empty title="Nothing was refused">Clients and callers of the API with a wrong token or key, or over a limit, are counted here.</Empty>}
        columns={[
          { name: "Reason", main: true, wide: true, cell: ([reason]) => <code>{reason}</code> },
          { name: "Count", number: true, cell: ([, total]) => count(total) },
        ]}
      />
    </section>
  );
}

export function Overview() {
  useEffect(watchClosely, []);
  const { stats, samples } = useStore(figures);
  if (!stats) return <><Title>Overview</Title><p class="loading">Loading …</p></>;
  const to = Date.parse(stats.at);
  const last = samples[samples.length - 1];
  const points = (of: (sample: Sample) => number) => samples.map((sample) => ({ at: sample.at, value: of(sample) }));
  const common = { from: to - SPAN_MS, to, height: 48 };
  const lead = <>Up {duration(to - Date.parse(stats.started_at))} · version {stats.version}</>;
  return (
    <>
      <Title lead={lead} actions={stats.draining ? <Badge tone="warn">Draining: sends its clients away</Badge> : <Badge tone="good">Accepts connections</Badge>}>
        Overview
      </Title>
      <Stats stats={stats} last={last} />
      <section class="panel charts" aria-label="Charts of the last 5 minutes">
        <Chart {...common} large height={160} title="Deliveries" unit="/s" points={points((sample) => sample.deliveries)} format={rate} />
        <div class="small-charts">
          <Chart {...common} title="Publications" unit="/s" points={points((sample) => sample.publications)} format={rate} />
          <Chart {...common} title="Queued" unit="" points={points((sample) => sample.queued)} format={bytes} />
          <Chart {...common} title="Dropped" unit="/s" points={points((sample) => sample.dropped)} format={rate} warn />
          <Chart {...common} title="Gaps" unit="/s" points={points((sample) => sample.gaps)} format={rate} warn />
        </div>
      </section>
      <div class="columns">
        <Busy />
        <Refusals stats={stats} />
      </div>
    </>
  );
}
