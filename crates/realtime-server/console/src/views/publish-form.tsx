// A message to publish: recipients, type and payload; each refused field has its errors beside it.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { post, Problem } from "../api/http";
import type { FieldError, PublishRequest, Receipt } from "../api/types";
import { parseJson, type Parsed } from "../lib/json";
import { AreaField, TextField } from "../ui/field";
import { Fault } from "../ui/parts";
import { route, TargetField } from "../ui/target";

export interface Draft {
  kind: string;
  name: string;
  type: string;
  payload: string;
}

interface Props {
  first: Draft;
  /** Lines of the payload. */
  rows?: number;
  likely?(kind: string): string;
  done(receipt: Receipt | undefined): void;
  children?: ComponentChildren;
  /** More fields of the request. */
  extra?: Partial<PublishRequest>;
}

/** The errors of the fields that begin with `part`, without those of `payload` the pointer in the request. */
function errorsOf(errors: FieldError[], part: string): FieldError[] {
  return errors.filter(({ path }) => path === `/${part}` || path.startsWith(`/${part}/`));
}

/** An error of the payload with the place: its pointer, and the line in the text. */
function placed({ path, message }: FieldError, parsed: Parsed): string {
  const pointer = path.slice("/payload".length);
  const spot = parsed.ok ? parsed.find(pointer) : undefined;
  return `${pointer || "The payload"}${spot && pointer ? ` (line ${spot.line})` : ""}: ${message}`;
}

export function PublishForm({ first, rows = 8, likely, done, children, extra }: Props) {
  const [draft, setDraft] = useState(first);
  const [errors, setErrors] = useState<FieldError[]>([]);
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const parsed = parseJson(draft.payload);
  const payloadErrors = parsed.ok ? errorsOf(errors, "payload").map((fault) => placed(fault, parsed)) : [`Line ${parsed.at.line}, column ${parsed.at.column}: ${parsed.message}`];
  const shownElsewhere = ["to", "type", "payload"].flatMap((part) => errorsOf(errors, part));
  const change = (part: Partial<Draft>): void => {
    setDraft((old) => ({ ...old, ...part }));
    setErrors([]);
    setError(undefined);
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    done(undefined);
    if (!parsed.ok) {
      setError(new Error("The payload is not JSON. Correct the marked place."));
      return;
    }
    setBusy(true);
    setErrors([]);
    setError(undefined);
    try {
      done(await post<Receipt>("/publish", { to: route(draft.kind, draft.name), type: draft.type, payload: parsed.value, ...extra }));
    } catch (thrown) {
      if (thrown instanceof Problem) setErrors(thrown.errors);
      setError(thrown as Error);
    }
    setBusy(false);
  };
  const whole = error && errors.length > 0 && shownElsewhere.length === errors.length ? new Error("The message was refused and not published. Correct the marked fields.") : error;
  return (
    <form class="stack" id="publish-form" onSubmit={(event) => void submit(event)}>
      <TargetField id="target" label="To" kind={draft.kind} name={draft.name} likely={likely} change={(kind, name) => change({ kind, name })} errors={errorsOf(errors, "to").map(({ message }) => message)} />
      <TextField id="type" label="Type" placeholder="order-updated" value={draft.type} change={(type) => change({ type })} required errors={errorsOf(errors, "type").map(({ message }) => message)} />
      <AreaField id="payload" label="Payload, as JSON" rows={rows} value={draft.payload} change={(payload) => change({ payload })} errors={payloadErrors} />
      {children}
      <div class="form-buttons">
        <button id="publish" class="primary" disabled={busy}>Publish</button>
        <button type="button" disabled={!parsed.ok} onClick={() => parsed.ok && change({ payload: JSON.stringify(parsed.value, null, 2) })}>Format</button>
      </div>
      <Fault error={whole} />
    </form>
  );
}
