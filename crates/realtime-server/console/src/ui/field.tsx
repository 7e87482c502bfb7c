// A labelled field with its hint and its errors.
import type { ComponentChildren } from "preact";

interface Common {
  id: string;
  label: string;
  hint?: ComponentChildren;
  errors?: string[];
  /** Less room than the whole row. */
  narrow?: boolean;
}

interface TextProps extends Common {
  value: string;
  change(value: string): void;
  kind?: "text" | "password";
  placeholder?: string;
  required?: boolean;
  max?: number;
  mono?: boolean;
  disabled?: boolean;
  autocomplete?: string;
}

/** What names the texts that describe a field. */
function described({ id, hint, errors }: Common): string | undefined {
  const ids = [...(errors?.length ? [`${id}-errors`] : []), ...(hint ? [`${id}-hint`] : [])];
  return ids.join(" ") || undefined;
}

function Around({ children, ...common }: Common & { children: ComponentChildren }) {
  const { id, label, hint, errors, narrow } = common;
  return (
    <div class={narrow ? "field narrow" : "field"}>
      <label for={id}>{label}</label>
      {children}
      {errors && errors.length > 0 && (
        <ul class="errors" id={`${id}-errors`}>
          {errors.map((error) => (
            <li key={error}>{error}</li>
          ))}
        </ul>
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

export function TextField(props: TextProps) {
  const { id, value, change, kind = "text", placeholder, required, max = 255, mono, disabled } = props;
  return (
    <Around {...props}>
      <input
        id={id}
        {...(kind === "password" ? { type: "password" as const } : { type: "text" as const })}
        class={mono ? "mono" : undefined}
        value={value}
        placeholder={placeholder}
        required={required}
        maxLength={max}
        disabled={disabled}
        autoComplete={props.autocomplete ?? "off"}
        autoCapitalize="none"
        spellcheck={false}
        aria-describedby={described(props)}
        aria-invalid={props.errors?.length ? true : undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </Around>
  );
}

export function SelectField(props: Common & { value: string; change(value: string): void; options: [string, string][] }) {
  const { id, value, change, options } = props;
  return (
    <Around {...props}>
      <select id={id} value={value} aria-describedby={described(props)} onChange={(event) => change(event.currentTarget.value)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </Around>
  );
}

export function AreaField(props: Common & { value: string; change(value: string): void; rows?: number }) {
  const { id, value, change, rows = 8 } = props;
  return (
    <Around {...props}>
      <textarea
        id={id}
        class="mono"
        rows={rows}
        value={value}
        spellcheck={false}
        autoCapitalize="none"
        aria-describedby={described(props)}
        aria-invalid={props.errors?.length ? true : undefined}
        onInput={(event) => change(event.currentTarget.value)}
      />
    </Around>
  );
}
