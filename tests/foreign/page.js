// Follows its streams in a page of a browser, with our TypeScript client as the global `realtime`. `story.take()` returns the
// lines that have come since the last time: messages, gaps, refused tokens, faults. Its first two tokens are valid for two
// seconds, and the provider has no new one before they have expired.
globalThis.story = ({ url, secret, topic, user }) => {
  const lines = [];
  const say = (line) => lines.push(line);
  const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const encoded = (value) => base64(new TextEncoder().encode(value));

  async function sign(seconds) {
    const exp = Math.floor(Date.now() / 1000) + seconds;
    const claims = { sub: user, exp, roles: ["admin"], grants: ["subscribe:order:*"] };
    const text = `${encoded(JSON.stringify({ alg: "HS256", typ: "JWT" }))}.${encoded(JSON.stringify(claims))}`;
    const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    return `${text}.${base64(await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text)))}`;
  }

  let expired = 0;
  const token = ({ reason }) => {
    if (reason === "expiring" && expired < 2) throw new Error("there is no new token yet");
    if (reason === "refused") say({ expired: ++expired });
    return sign(expired < 2 ? 2 : 3600);
  };

  const client = realtime.connect({ url, token });
  client.on("**", ({ topic, stream, payload }) => say({ stream: stream ?? topic, n: payload }));
  client.onGap((gap) => say({ gap: gap.stream, reason: gap.reason, previous: gap.previous }));
  client.onState(({ phase, reason }) => { if (phase === "stopped") say({ fault: reason }); });
  client.onError((error) => { if (error.code !== "token_failed") say({ fault: String(error) }); });
  const subscription = client.subscribe(topic);
  return Object.assign(story, { client, subscription, ready: subscription.ready, take: () => lines.splice(0) });
};
