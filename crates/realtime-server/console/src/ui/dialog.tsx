// A question before something that others notice. The browser keeps the focus inside, and Escape closes it.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Fault } from "./parts";

interface Props {
  title: string;
  children: ComponentChildren;
  /** The text of the button that does it. */
  action: string;
  danger?: boolean;
  act(): Promise<void>;
  close(): void;
}

export function Dialog({ title, children, action, danger, act, close }: Props) {
  const element = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  useEffect(() => element.current?.showModal(), []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await act();
      element.current?.close();
    } catch (thrown) {
      setError(thrown as Error);
      setBusy(false);
    }
  };
  return (
    <dialog ref={element} aria-labelledby="dialog-title" onClose={close}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="dialog-title">{title}</h2>
        {children}
        <Fault error={error} />
        <div class="dialog-actions">
          <button type="button" onClick={() => element.current?.close()}>
            Cancel
          </button>
          <button id="dialog-action" class={danger ? "danger" : "primary"} disabled={busy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
