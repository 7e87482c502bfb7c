// Starts the console: asks the server what it is, and for its key if it is a server for development.
import { render } from "preact";
import { address, send } from "./api/http";
import { App } from "./app";
import { followAddress } from "./state/route";
import { key, settings, signIn, type Settings } from "./state/session";
import { applyTheme } from "./state/theme";
import "./style/base.css";
import "./style/frame.css";
import "./style/controls.css";
import "./style/content.css";

/** A server for development makes a new key at each start, and gives it to pages of its machine. */
async function takeDevelopmentKey(): Promise<void> {
  const { api_key } = (await (await send("GET", address("/dev/session"))).json()) as { api_key: string };
  signIn(api_key);
}

async function prepare(): Promise<void> {
  try {
    settings.set((await (await send("GET", address("/console/settings.json"))).json()) as Settings);
    if (!settings.get().dev) return;
    await takeDevelopmentKey();
    key.follow(() => void (key.get() === null && takeDevelopmentKey().catch(() => {})));
  } catch {
    // The form to sign in is shown, and says why a key is not accepted or the server does not respond.
  }
}

applyTheme();
followAddress();
await prepare();
render(<App />, document.body);
