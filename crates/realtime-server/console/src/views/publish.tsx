// Publish a message as a backend does, and see its receipt.
import { useState } from "preact/hooks";
import type { Receipt } from "../api/types";
import { count, counted } from "../lib/format";
import { href, type Place } from "../state/route";
import { TextField } from "../ui/field";
import { Copy, Empty, Fact, Facts, Raw, Title } from "../ui/parts";
import { PublishForm } from "./publish-form";

function Shown({ receipt }: { receipt: Receipt }) {
  const advice = receipt.delivered > 0 ? "" : "No connection of this node is among its recipients now.";
  return (
    <>
      <p class="receipt-line">{receipt.duplicate ? "Published before, with the same key" : "Published"}: delivered to {counted(receipt.delivered, "connection")}.</p>
      {advice && <p class="soft">{advice}</p>}
      <Facts>
        <Fact name="Message" long><Raw>{receipt.id}</Raw> <Copy text={receipt.id} what="the id of the message" /></Fact>
        {receipt.position && <Fact name="Offset">{count(receipt.position.offset)} <span class="soft">in epoch {receipt.position.epoch}</span></Fact>}
        {!receipt.position && <Fact name="History">not kept</Fact>}
        {receipt.other_nodes && <Fact name="Other nodes">sent</Fact>}
      </Facts>
      <p><a href={href("explain", undefined, { message: receipt.id })}>Explain why a user receives it, or does not</a></p>
    </>
  );
}

export function Publish({ place }: { place: Place }) {
  const { to = "topic", name = "" } = place.query;
  const [receipt, setReceipt] = useState<Receipt>();
  const [unkept, setUnkept] = useState(false);
  const [key, setKey] = useState("");
  const extra = { ...(unkept && { history: false }), ...(key && { idempotency_key: key }) };
  const first = { kind: to, name, type: "", payload: '{\n  "text": "hello"\n}' };
  return (
    <>
      <Title lead="Sends one message as a backend does. Clients receive it at once.">Publish</Title>
      <div class="columns">
        <section class="panel" aria-label="Message">
          <PublishForm key={`${to} ${name}`} first={first} done={setReceipt} extra={extra}>
            <details class="more">
              <summary>More settings</summary>
              <label class="check"><input type="checkbox" id="unkept" checked={unkept} onChange={(event) => setUnkept(event.currentTarget.checked)} /> Do not keep it in a history</label>
              <TextField id="key" label="Idempotency key" hint="A repeated message with the same key is published once." value={key} change={setKey} max={128} />
            </details>
          </PublishForm>
        </section>
        <section class="panel" aria-labelledby="receipt-title">
          <header><h2 id="receipt-title">Receipt</h2></header>
          <div id="receipt" role="status">{receipt ? <Shown receipt={receipt} /> : <Empty title="Nothing was published yet">How many connections took the message, and its offset, is shown here.</Empty>}</div>
        </section>
      </div>
    </>
  );
}
