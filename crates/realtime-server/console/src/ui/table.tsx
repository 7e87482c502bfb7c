// A table; on a narrow screen each row becomes a card. The roles keep it a table for screen readers in both shapes.
import type { ComponentChildren } from "preact";
import { Empty } from "./parts";

export interface Column<T> {
  name: string;
  cell(row: T): ComponentChildren;
  /** Aligned to the right, with digits of one width. */
  number?: boolean;
  /** Heads the card on a narrow screen. */
  main?: boolean;
  /** Takes the rest of the width. */
  wide?: boolean;
  /** Left out on a narrow screen: the page of the thing has it. */
  minor?: boolean;
  /** Buttons: no name above them. */
  actions?: boolean;
}

interface Props<T> {
  caption: string;
  columns: Column<T>[];
  rows: T[] | undefined;
  id(row: T): string;
  empty: ComponentChildren;
  /** Few short columns: a table on a narrow screen too. */
  compact?: boolean;
}

export function Table<T>({ caption, columns, rows, id, empty, compact }: Props<T>) {
  if (!rows) return <p class="loading">Loading …</p>;
  if (rows.length === 0) return typeof empty === "string" ? <Empty title={empty} /> : <>{empty}</>;
  const shape = (column: Column<T>): string =>
    [column.number && "number", column.main && "main", column.wide && "wide", column.minor && "minor", column.actions && "row-actions"].filter(Boolean).join(" ");
  return (
    <div class={compact ? "table compact" : "table"}>
      <table role="table">
        <caption class="hidden">{caption}</caption>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map((column) => (
              <th key={column.name} role="columnheader" scope="col" class={shape(column)}>
                {column.actions ? <span class="hidden">{column.name}</span> : column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={id(row)} role="row">
              {columns.map((column) => (
                <td key={column.name} role="cell" class={shape(column)} data-name={column.main || column.actions ? undefined : column.name}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
