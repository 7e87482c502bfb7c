// Requests to the HTTP API with the key, a deadline, and errors that say what to do.
import { key, signOut } from "../state/session";
import type { FieldError, ProblemBody } from "./types";

const DEADLINE_MS = 15_000;

/** A request that was refused or failed. `message` is for the person. */
export class Problem extends Error {
  constructor(
    message: string,
    /** The HTTP status; 0 without a response. */
    readonly status: number,
    readonly code: string,
    readonly errors: FieldError[] = [],
  ) {
    super(message);
  }
}

export type Parameters = Record<string, string | number | undefined>;

/** The address of a path of the server, which may have a prefix: this page is one folder below it. */
export function address(path: string, parameters: Parameters = {}): string {
  const url = new URL(`..${path}`, document.baseURI.replace(/[#?].*$/, ""));
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** A response with a status below 400. `signal` abandons the request; `endless` has no deadline after the headers. */
export async function send(method: string, url: string, options: { body?: unknown; signal?: AbortSignal; key?: string } = {}): Promise<Response> {
  const abort = new AbortController();
  const { signal } = options;
  if (signal?.aborted) abort.abort();
  signal?.addEventListener("abort", () => abort.abort());
  const timer = setTimeout(() => abort.abort(), DEADLINE_MS);
  const used = options.key ?? key.get();
  let response: Response;
  try {
    const headers: Record<string, string> = {};
    if (used) headers["authorization"] = `Bearer ${used}`;
    if (options.body !== undefined) headers["content-type"] = "application/json";
    const init: RequestInit = { method, headers, signal: abort.signal, cache: "no-store", credentials: "omit", redirect: "error" };
    if (options.body !== undefined) init.body = JSON.stringify(options.body);
    response = await fetch(url, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem("The server does not respond. Check that it runs and that this machine can reach it.", 0, "unreachable");
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  const problem = await explained(response);
  if (response.status === 401 && options.key === undefined && used === key.get()) {
    signOut("The server does not accept the API key any more. Sign in with a key that is in api.keys of its config.");
  }
  throw problem;
}

async function explained(response: Response): Promise<Problem> {
  let body: Partial<ProblemBody> = {};
  try {
    body = (await response.json()) as Partial<ProblemBody>;
  } catch {
    // A proxy's page, not the server's problem.
  }
  const detail = body.detail ?? `The server, or a proxy before it, responds with status ${response.status}.`;
  return new Problem(detail, response.status, body.code ?? "unknown", body.errors ?? []);
}

async function json<T>(method: string, path: string, parameters: Parameters, options: { body?: unknown; signal?: AbortSignal }): Promise<T> {
  const response = await send(method, address(`/api/v1${path}`, parameters), options);
  return (await response.json()) as T;
}

export const get = <T>(path: string, parameters: Parameters = {}, signal?: AbortSignal): Promise<T> =>
  json<T>("GET", path, parameters, signal ? { signal } : {});
export const post = <T>(path: string, body: unknown): Promise<T> => json<T>("POST", path, {}, { body });
export const remove = <T>(path: string, parameters: Parameters = {}): Promise<T> => json<T>("DELETE", path, parameters, {});

/** A value as one segment of a path. */
export const segment = (text: string): string => encodeURIComponent(text);
