// The API key, before anything is shown.
import { useEffect, useRef, useState } from "preact/hooks";
import { address, Problem, send } from "../api/http";
import { farewell, signIn } from "../state/session";
import { useStore } from "../state/store";
import { TextField } from "../ui/field";
import { Fault } from "../ui/parts";

export function SignIn() {
  const [key, setKey] = useState("");
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const reason = useStore(farewell);
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector("input")?.focus(), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      // A header can't have other characters, and neither can a key.
      if (!/^[\x21-\x7e]+$/.test(key.trim())) throw new Problem("", 401, "unauthorized");
      await send("GET", address("/api/v1/revocations", { limit: 1 }), { key: key.trim() });
      signIn(key.trim());
    } catch (thrown) {
      const refused = thrown instanceof Problem && thrown.status === 401;
      setError(refused ? new Error("This key is not accepted. Use one of the keys in api.keys or api.keys_file of the server's config.") : (thrown as Error));
      setBusy(false);
    }
  };
  return (
    <main class="sign-in" id="main">
      <form ref={form} class="panel" onSubmit={(event) => void submit(event)}>
        <img src="icon.svg" alt="" width="40" height="40" />
        <h1>Realtime console</h1>
        <p class="soft">Sign in with an API key of this server.</p>
        {reason && !error && <div class="fault" role="status">{reason}</div>}
        <TextField id="api-key" label="API key" kind="password" value={key} change={setKey} required max={4096} autocomplete="off" hint="The key stays in this tab until you close it or sign out." />
        <Fault error={error} />
        <button id="sign-in" class="primary" disabled={busy}>Sign in</button>
      </form>
    </main>
  );
}
