// A response that is one JSON value per line and does not end.
import { address, send } from "./http";

/** Longest line that is kept, in characters: more than any message that the server accepts. */
const LONGEST = 4_000_000;

/** Reads the lines of a POST until the server ends it, or `signal` does. */
export async function readLines<T>(path: string, body: unknown, signal: AbortSignal, receive: (line: T) => void): Promise<void> {
  const response = await send("POST", address(`/api/v1${path}`), { body, signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > LONGEST) throw new Error("a line of the stream is too long");
    for (const line of lines) if (line.trim() !== "") receive(JSON.parse(line) as T);
  }
}
