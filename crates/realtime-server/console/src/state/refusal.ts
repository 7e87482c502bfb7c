// The revocation that refuses a user or a token now.
import { get } from "../api/http";
import type { Revocation, RevocationPage } from "../api/types";
import { usePoll } from "./poll";

const PAGE = 1000;
/** At most so many pages are read: as many as the default of `limits.revocations` fills. */
const PAGES = 10;

/** Whether it refuses every token of the user, or the token with this `jti`. */
const refuses = (row: Revocation, user: string, jti: string | undefined): boolean =>
  row.issued_before === undefined && (row.jti === undefined ? row.user === user : row.jti === jti);

/** Of the revocations that refuse the user or the token, the one that ends last. */
export function lasting(rows: Revocation[], user: string, jti?: string): Revocation | undefined {
  const found = rows.filter((row) => refuses(row, user, jti));
  return found.sort((one, other) => Date.parse(other.until) - Date.parse(one.until))[0];
}

async function find(user: string, jti: string | undefined, signal: AbortSignal): Promise<Revocation | undefined> {
  const found: Revocation[] = [];
  let after: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const { revocations, next } = await get<RevocationPage>("/revocations", { after, limit: PAGE }, signal);
    found.push(...revocations.filter((row) => refuses(row, user, jti)));
    if (next === undefined) break;
    after = next;
  }
  return lasting(found, user, jti);
}

/** The revocation that refuses the user or the token with this `jti` now; `undefined` if there is none. */
export function useRefusal(user: string, jti?: string): Revocation | undefined {
  return usePoll((signal) => find(user, jti, signal), 10_000, JSON.stringify([user, jti])).data;
}
