// A payload: one line, and indented when opened.
import { Raw } from "./parts";

/** Longest payload that is shown whole in one line, in characters. */
const LINE = 120;
/** Longest payload that is shown at all. */
const LONGEST = 20_000;

export function Payload({ value }: { value: unknown }) {
  const text = JSON.stringify(value) ?? "";
  if (text.length <= LINE) return <Raw>{text}</Raw>;
  return (
    <details class="payload">
      <summary><Raw>{`${text.slice(0, LINE)} …`}</Raw></summary>
      <pre class="raw">{JSON.stringify(value, null, 2).slice(0, LONGEST)}{text.length > LONGEST ? "\n… the rest is not shown" : ""}</pre>
    </details>
  );
}
