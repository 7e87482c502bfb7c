// The notifications of a user: those of the database, and those that come while the page is open.
import { connect } from "@realtime/client";

const SHOWN = 50;
const $ = (id) => document.getElementById(id);
let notifications = new Map(); // by id: what comes twice is there once
let unread = 0;

/** Asked before every attempt to connect. `null`: no user is signed in, so the client stops. */
async function token() {
  const response = await fetch("/token");
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`/token: ${response.status}`);
  return (await response.json()).token;
}

const rt = connect({ url: document.body.dataset.realtime, token });

// The database is asked when the page connects first, and after a gap. After a short absence (`resumed`) the server
// sends what the page missed.
let loading = Promise.resolve();
rt.onGap(() => { loading = load(); });
rt.onState((state) => {
  showState(state);
  if (state.phase === "connected" && !state.resumed) loading = load();
});

// What is published to a user has no topic: its stream is `@user`. What comes during a load is newer than what is loaded.
rt.on("@user", "notification", ({ payload }) => loading.then(() => add(payload)));
rt.on("@user", "read", ({ payload }) => loading.then(() => markAsRead(payload.ids)));

async function load() {
  const response = await fetch("/notifications");
  if (!response.ok) return;
  const answer = await response.json();
  notifications = new Map(answer.notifications.map((one) => [one.id, one]));
  unread = answer.unread;
  show();
}

function add(notification) {
  if (notifications.has(notification.id)) return;
  notifications.set(notification.id, notification);
  unread += 1;
  $("news").textContent = `New notification: ${notification.text}`;
  show();
}

function markAsRead(ids) {
  for (const one of ids.map((id) => notifications.get(id))) {
    if (!one || one.is_read) continue;
    one.is_read = true;
    unread -= 1;
  }
  show();
}

function read(ids) {
  return fetch("/notifications/read", {
    method: "POST",
    headers: { "X-CSRFToken": document.querySelector("[name=csrfmiddlewaretoken]").value },
    body: JSON.stringify({ ids }),
  });
}

$("read-all").onclick = () => read([...notifications.values()].filter((one) => !one.is_read).map(({ id }) => id));

function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function show() {
  const newest = [...notifications.values()].sort((a, b) => b.id - a.id).slice(0, SHOWN);
  $("list").replaceChildren(...newest.map(({ id, text, created_at, is_read }) => {
    const time = new Date(created_at).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
    const item = element("li", {}, element("span", { textContent: text }), element("small", { textContent: time }));
    if (is_read) return item;
    item.dataset.new = "";
    item.append(element("button", { type: "button", textContent: "Read", onclick: () => read([id]), ariaLabel: `Mark as read: ${text}` }));
    return item;
  }));
  $("empty").hidden = newest.length > 0;
  $("unread").hidden = $("read-all").hidden = unread === 0;
  $("unread").textContent = `${unread} unread`;
  document.title = unread ? `(${unread}) Inbox` : "Inbox";
}

function showState({ phase, reason }) {
  $("state").dataset.phase = phase;
  $("state").textContent = {
    connecting: "Connecting…",
    connected: "Connected",
    waiting: "Offline. What you miss comes when you are back.",
    stopped: reason?.code === "signed_out" ? "Signed out: reload the page to sign in" : `Stopped: ${reason?.message}`,
  }[phase];
}
