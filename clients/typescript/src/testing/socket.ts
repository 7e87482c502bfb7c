// The client's end of a connection that has no network: frames take `latency`, and are lost when it is cut.
import type { Connection, TestServer } from "./server.js";

export class TestSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number; reason: string }) => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  onopen: ((event: unknown) => void) | null = null;
  readyState = 0;
  readonly #server: TestServer;
  readonly #connection: Connection;

  constructor(server: TestServer, url: string, protocols: string[]) {
    this.#server = server;
    const query = new URL(url).searchParams;
    this.#connection = {
      socket: this, client: query.get("client") ?? undefined, ticket: query.get("resume") ?? undefined,
      token: (protocols.find((one) => one.startsWith("bearer.")) ?? "").slice("bearer.".length),
      user: "", roles: [], topics: new Set(), held: new Map(),
    };
    this.#later(() => {
      if (server.offline) return this.end(1006, "");
      this.readyState = 1;
      this.onopen?.({});
      server.admit(this.#connection);
    });
  }

  #later(run: () => void): void {
    setTimeout(() => { if (this.readyState < 2) run(); }, this.#server.latency);
  }

  send(text: string): void {
    this.#later(() => this.#server.receive(this.#connection, JSON.parse(text)));
  }

  /** From the server. */
  deliver(frame: object): void {
    this.#later(() => this.onmessage?.({ data: JSON.stringify(frame) }));
  }

  /** The server closes, after the frames that are on their way. */
  finish(code: number, reason: string): void {
    this.#server.forget(this.#connection);
    this.#later(() => this.end(code, reason));
  }

  /** Now: what is on its way is lost. */
  end(code: number, reason: string): void {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.#server.forget(this.#connection);
    setTimeout(() => this.onclose?.({ code, reason }), 0);
  }

  close(code = 1000): void {
    this.end(code, "");
  }
}
