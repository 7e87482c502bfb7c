// Small parts that every view uses.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ago, date, shortId, until } from "../lib/format";

/** Text from users: isolated, so that writing from right to left does not reorder what stands beside it. */
export function Raw({ children, soft }: { children: string; soft?: boolean }) {
  return <bdi class={soft ? "raw soft" : "raw"}>{children}</bdi>;
}

/** A text of the server, in which names stand between backticks. */
export function Marked({ children }: { children: string }) {
  const parts = children.split("`");
  if (parts.length % 2 === 0) return <>{children}</>;
  return <>{parts.map((part, n) => (n % 2 ? <code key={n}><bdi>{part}</bdi></code> : part))}</>;
}

/** The end of an id; the whole when pointed at. */
export function Id({ children }: { children: string }) {
  return (
    <span class="raw id" title={children}>
      {shortId(children)}
    </span>
  );
}

export function Title({ children, actions, lead }: { children: ComponentChildren; actions?: ComponentChildren; lead?: ComponentChildren }) {
  return (
    <header class="title">
      <div>
        <h1 id="title" tabIndex={-1}>
          {children}
        </h1>
        {lead && <p class="lead">{lead}</p>}
      </div>
      {actions && <div class="actions">{actions}</div>}
    </header>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Fault({ error, again }: { error: Error | undefined; again?: () => void }) {
  if (!error) return null;
  return (
    <div class="fault" role="alert">
      <span>{error.message}</span>
      {again && (
        <button type="button" class="small" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Badge({ tone, children }: { tone: "good" | "bad" | "warn" | "plain"; children: ComponentChildren }) {
  return <span class={`badge ${tone}`}>{children}</span>;
}

export function Age({ time, future }: { time: string | undefined; future?: boolean }) {
  if (!time) return <span class="soft">–</span>;
  return (
    <time dateTime={time} title={date(time)}>
      {future ? until(time) : ago(time)}
    </time>
  );
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  if (!navigator.clipboard) return null; // Only pages of this machine or with TLS have one.
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
    timer.current = setTimeout(() => setCopied(false), 2000);
  };
  return (
    <button type="button" class="small quiet" aria-label={`Copy ${what}`} onClick={() => void copy()}>
      {copied ? "Copied" : "Copy"}
    </button>
  );
}

/** Facts as terms and values. */
export function Facts({ children, short }: { children: ComponentChildren; short?: boolean }) {
  return <dl class={short ? "facts short" : "facts"}>{children}</dl>;
}

export function Fact({ name, children, long }: { name: string; children: ComponentChildren; long?: boolean }) {
  return (
    <div class={long ? "long" : undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Links between the parts of one thing. */
export function Tabs({ label, tabs, current }: { label: string; tabs: { name: string; text: string; href: string }[]; current: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.name} href={tab.href} aria-current={tab.name === current ? "page" : undefined}>
          {tab.text}
        </a>
      ))}
    </nav>
  );
}
