// The frame of the page: navigation, messages to the person, and the view of the address.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { clock } from "./lib/format";
import { dismiss, notice } from "./state/notices";
import { href, place, type Place } from "./state/route";
import { figures, readFigures } from "./state/samples";
import { key, settings, signOut } from "./state/session";
import { useStore } from "./state/store";
import { choose, theme, type Theme } from "./state/theme";
import { Icon } from "./ui/icons";
import { Empty, Title } from "./ui/parts";
import { ConnectionDetail } from "./views/connection";
import { Connections } from "./views/connections";
import { Explain } from "./views/explain";
import { Overview } from "./views/overview";
import { Publish } from "./views/publish";
import { Revocations } from "./views/revocations";
import { SignIn } from "./views/sign-in";
import { TailView } from "./views/tail";
import { TopicDetail } from "./views/topic";
import { Topics } from "./views/topics";
import { Try } from "./views/try";

const VIEWS: Record<string, string> = {
  overview: "Overview",
  connections: "Connections",
  topics: "Topics",
  tail: "Tail",
  publish: "Publish",
  explain: "Explain",
  revocations: "Revocations",
};
const THEMES: [Theme, string][] = [["system", "Auto"], ["light", "Light"], ["dark", "Dark"]];

function View({ at, dev }: { at: Place; dev: boolean }) {
  switch (at.view) {
    case "overview": return <Overview />;
    case "connections": return at.item === undefined ? <Connections place={at} /> : <ConnectionDetail key={at.item} id={at.item} />;
    case "topics": return at.item === undefined ? <Topics place={at} /> : <TopicDetail key={at.item} topic={at.item} place={at} />;
    case "tail": return <TailView place={at} />;
    case "publish": return <Publish place={at} />;
    case "explain": return <Explain place={at} />;
    case "revocations": return <Revocations />;
    case "try": return dev ? <Try /> : <><Title>Try</Title><Empty title="Try is served with --dev only">It is for development: start the server with <code>realtime-server serve --dev</code>.</Empty></>;
  }
  return <><Title>Not found</Title><Empty title="There is no such view">Choose one from the navigation.</Empty></>;
}

function Navigation({ views, current }: { views: [string, string][]; current: string }) {
  return (
    <nav aria-label="Views">
      <ul class="views">
        {views.map(([name, text]) => (
          <li key={name}>
            <a href={href(name)} aria-current={name === current ? "page" : undefined}><Icon name={name} />{text}</a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Preferences({ dev }: { dev: boolean }) {
  const chosen = useStore(theme);
  return (
    <div class="preferences">
      <fieldset class="themes">
        <legend class="hidden">Colours</legend>
        {THEMES.map(([name, text]) => (
          <label key={name}>
            <input type="radio" name="theme" id={`theme-${name}`} checked={chosen === name} onChange={() => choose(name)} />
            <span>{text}</span>
          </label>
        ))}
      </fieldset>
      {!dev && <button type="button" id="sign-out" class="small" onClick={() => signOut()}>Sign out</button>}
    </div>
  );
}

function Notice() {
  const shown = useStore(notice);
  return (
    <div class="notices">
      <div role="status">{shown && !shown.bad && <p class="notice">{shown.text}<Dismiss /></p>}</div>
      <div role="alert">{shown?.bad && <p class="notice bad">{shown.text}<Dismiss /></p>}</div>
    </div>
  );
}

const Dismiss = () => <button type="button" class="small quiet" aria-label="Dismiss" onClick={dismiss}><Icon name="close" /></button>;

function Unreachable() {
  const { failedSince, error } = useStore(figures);
  if (failedSince === undefined) return null;
  return <div class="unreachable" role="alert">No figures since {clock(failedSince).slice(0, 8)}. {error?.message} The page tries again by itself.</div>;
}

function Frame({ children, at, dev }: { children: ComponentChildren; at: Place; dev: boolean }) {
  const [menu, setMenu] = useState(false);
  const main = useRef<HTMLElement>(null);
  const { stats } = useStore(figures);
  const views: [string, string][] = [...Object.entries(VIEWS), ...(dev ? [["try", "Try"] as [string, string]] : [])];
  const text = at.item ?? Object.fromEntries(views)[at.view] ?? "Not found";
  const where = `${at.view}/${at.item ?? ""}`;
  const shown = useRef(where);
  useEffect(() => {
    document.title = `${text} – Realtime console`;
    if (shown.current === where) return;
    shown.current = where;
    setMenu(false);
    // A person who uses a screen reader or the keyboard goes on from the new view's heading.
    document.getElementById("title")?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [where, text]);
  useEffect(() => readFigures(), []);
  const escape = (event: KeyboardEvent): void => {
    if (event.key !== "Escape" || !menu) return;
    setMenu(false);
    document.getElementById("menu")?.focus();
  };
  const skip = (event: Event): void => {
    event.preventDefault(); // The address names the view, not a place in it.
    main.current?.focus();
  };
  return (
    <div class={menu ? "frame menu-open" : "frame"} onKeyDown={escape}>
      <a class="skip" href="#main" onClick={skip}>Skip to the content</a>
      <header class="side">
        <div class="brand">
          <img src="icon.svg" alt="" width="24" height="24" />
          <span>Realtime</span>
          {dev && <span class="dev">dev</span>}
          <button type="button" id="menu" class="menu-button" aria-expanded={menu} aria-controls="menu-items" onClick={() => setMenu(!menu)}>
            <Icon name={menu ? "close" : "menu"} />Menu
          </button>
        </div>
        <div id="menu-items" class="menu-items">
          <Navigation views={views} current={at.view} />
          <Preferences dev={dev} />
          {stats && <p class="node soft" title={stats.node}>Node …{stats.node.slice(-6)}</p>}
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Unreachable />
        {children}
      </main>
      <Notice />
    </div>
  );
}

export function App() {
  const at = useStore(place);
  const { dev } = useStore(settings);
  if (useStore(key) === null) return <SignIn />;
  return <Frame at={at} dev={dev}><View at={at} dev={dev} /></Frame>;
}
