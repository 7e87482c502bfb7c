// The chat: rooms, messages with history, presence, typing indicators; and what the user sees while the network is away.
import { connect } from "@realtime/client";
import { presence } from "@realtime/client/presence";

const ROOMS = ["general", "help", "random"];
const SHOWN = 50; // messages that are loaded of a room
const TYPING_MS = 3_000;
const $ = (id) => document.getElementById(id);

/** An element with text. Text of users is never HTML. */
function element(tag, { className = "", ...properties } = {}, ...children) {
  const made = Object.assign(document.createElement(tag), { className, ...properties });
  made.append(...children);
  return made;
}

// Signing in. The backend keeps the session in a cookie that scripts can't read.
const session = await (await fetch("/session")).json();
if (session.user) start(session);
else {
  $("sign-in").hidden = false;
  $("name").focus();
}

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const response = await fetch("/session", { method: "POST", body: JSON.stringify({ name: $("name").value }) });
  const answer = await response.json();
  if (response.ok) start(answer);
  else $("sign-in-error").textContent = answer.message;
});

/** Asked before every attempt to connect. `null`: no user is signed in, so the client stops. */
async function token() {
  const response = await fetch("/token");
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`/token: ${response.status}`);
  return (await response.json()).token;
}

function start({ user, realtime }) {
  const rt = connect({ url: realtime, token });
  $("sign-in").hidden = true;
  $("chat").hidden = false;
  $("me").textContent = user;
  rt.onState(showState);
  showState(rt.state);

  const buttons = ROOMS.map((name) => element("button", { type: "button", textContent: `# ${name}`, onclick: () => enter(name) }));
  $("rooms").append(...buttons.map((button) => element("li", {}, button)));
  let leave = () => {};
  function enter(name) {
    leave();
    buttons.forEach((button, i) => button.setAttribute("aria-current", ROOMS[i] === name));
    leave = room(rt, user, `room:${name}`);
  }
  enter(ROOMS[0]);
}

function showState({ phase, retryAt, reason }) {
  const seconds = Math.max(1, Math.ceil(((retryAt ?? 0) - Date.now()) / 1_000));
  $("state").dataset.phase = phase;
  $("state").textContent = {
    connecting: "Connecting…",
    connected: "Connected",
    waiting: retryAt ? `Disconnected. Next attempt in ${seconds} s` : "Offline",
    stopped: reason?.code === "signed_out" ? "Signed out: reload the page to sign in" : `Stopped: ${reason?.message}`,
  }[phase];
}

/** Shows a room; returns what leaves it. */
function room(rt, user, topic) {
  const list = $("messages");
  const outbox = $("outbox");
  const typing = new Map(); // user → the timer that ends it
  let left = false;
  list.replaceChildren();
  outbox.replaceChildren();

  const line = ({ payload, timestamp }) => element("li", {},
    element("b", { textContent: payload.from }),
    element("small", { textContent: new Date(timestamp).toLocaleTimeString([], { timeStyle: "short" }) }),
    element("p", { textContent: payload.text }));

  function append(item) {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
    list.append(item);
    while (list.childElementCount > 500) list.firstChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }

  // Load, then follow: called first, and again after a gap. What is published meanwhile comes afterwards, once.
  async function getState({ reason }) {
    const page = await rt.history(`topic:${topic}`, { limit: SHOWN, reverse: true });
    if (left) return page.position;
    list.replaceChildren(...page.publications.reverse().map(line));
    if (reason === "gap") append(element("li", { className: "note", textContent: "Messages were lost while you were away. This is what the server has." }));
    list.scrollTop = list.scrollHeight;
    return page.position;
  }

  function showTyping(from, isTyping) {
    clearTimeout(typing.get(from));
    typing.delete(from);
    if (isTyping) typing.set(from, setTimeout(showTyping, TYPING_MS, from, false));
    const names = [...typing.keys()];
    $("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
  }

  const subscriptions = [rt.subscribe(topic, { getState }), rt.subscribe(`${topic}:typing`)];
  const here = presence(rt, topic);
  const showUsers = () => $("here").replaceChildren(...[...here.users.keys()].sort().map((name) => element("li", { textContent: name })));
  const removers = [
    rt.on(topic, "said", (message) => {
      showTyping(message.payload.from, false);
      append(line(message));
    }),
    rt.on(`${topic}:typing`, "typing", ({ payload }) => showTyping(payload.from, true)),
    here.onChange(showUsers),
  ];
  showUsers();

  let typedAt = 0;
  $("text").oninput = () => {
    if (Date.now() - typedAt < TYPING_MS / 2 || rt.state.phase !== "connected") return;
    typedAt = Date.now();
    rt.publish(`${topic}:typing`, "typing", { from: user }, { echo: false }).catch(() => {});
  };

  $("compose").onsubmit = async (event) => {
    event.preventDefault();
    const text = $("text").value.trim();
    if (!text) return;
    $("text").value = "";
    typedAt = 0;
    const status = element("small", { textContent: rt.state.phase === "connected" ? "sending…" : "waits for the connection" });
    const pending = element("li", { className: "pending" }, element("b", { textContent: user }), status, element("p", { textContent: text }));
    outbox.append(pending);
    try {
      // Waits for a connection, and is published once, however often the connection is lost meanwhile.
      await rt.publish(topic, "said", { from: user, text });
      pending.remove();
    } catch (error) {
      status.textContent = `not sent: ${error.message}`;
      status.className = "error";
    }
  };

  return () => {
    left = true;
    for (const subscription of subscriptions) subscription.unsubscribe();
    for (const remove of removers) remove();
    here.stop();
    for (const timer of typing.values()) clearTimeout(timer);
    $("typing").textContent = "";
  };
}
