// The bodies of the HTTP API that the console reads and writes; docs/openapi.json is their definition.

export interface Position {
  epoch: string;
  offset: number;
}

export interface Connection {
  id: string;
  user: string;
  roles: string[];
  client?: string;
  metadata?: Record<string, unknown>;
  token?: { jti?: string; iat?: number; exp?: number };
  created_at: string;
  address?: string;
  last_activity?: string;
  queued_messages?: number;
  queued_bytes?: number;
  sent_frames?: number;
  subscription_count?: number;
}

export interface Subscription {
  topic: string;
  origin: string;
}

export interface ConnectionInfo extends Connection {
  subscriptions: Subscription[];
}

export interface ConnectionPage {
  connections: Connection[];
  next?: string;
}

export interface Subscriber extends Connection {
  origin: string;
}

export interface SubscriberPage {
  subscribers: Subscriber[];
  next?: string;
}

export interface TopicHistory extends Position {
  messages?: number;
  bytes?: number;
}

export interface TopicInfo {
  topic: string;
  subscribers: number;
  history?: TopicHistory;
}

export interface TopicPage {
  topics: TopicInfo[];
  next?: string;
}

export interface BusyTopic {
  topic: string;
  publications: number;
  per_second: number;
  subscribers: number;
}

export interface Busiest {
  window_ms: number;
  topics: BusyTopic[];
}

export interface PresentUser {
  user: string;
  connections: number;
  metadata?: Record<string, unknown>;
}

export interface PresencePage {
  topic: string;
  version: number;
  count: number;
  users: PresentUser[];
  next?: string;
}

export interface Publication {
  id: string;
  type: string;
  payload: unknown;
  timestamp: string;
  topic?: string;
  stream?: string;
  offset?: number;
}

export interface HistoryPage {
  stream: string;
  position: Position;
  publications: Publication[];
  more: boolean;
}

export type Route = "all" | { user: string } | { role: string } | { connection: string } | { topic: string };

export interface PublishRequest {
  to: Route;
  type: string;
  payload: unknown;
  history?: boolean;
  idempotency_key?: string;
}

export interface Receipt {
  id: string;
  delivered: number;
  other_nodes: boolean;
  duplicate?: boolean;
  position?: Position;
}

export interface ExplainRequest {
  user: string;
  message?: string;
  to?: Route;
}

export interface ExplainedConnection {
  connection: string;
  client?: string;
  matched: boolean;
  reason: string;
  detail: string;
  topics: string[];
}

export interface Explanation {
  user: string;
  to: Route | Route[];
  matched: boolean;
  detail: string;
  message?: { id: string; published_at: string; delivered: number; position?: Position };
  connections: ExplainedConnection[];
}

export interface Revocation {
  id: string;
  jti?: string;
  user?: string;
  issued_before?: string;
  reason: string;
  created_at: string;
  until: string;
}

export interface RevocationPage {
  revocations: Revocation[];
  next?: string;
}

export interface Stats {
  node: string;
  version: string;
  at: string;
  started_at: string;
  draining: boolean;
  connections: number;
  users: number;
  topics: number;
  subscriptions: number;
  history_streams: number;
  history_bytes: number;
  queued_bytes: number;
  memory_bytes?: number;
  cpu_seconds?: number;
  publications_total: number;
  deliveries_total: number;
  dropped_total: number;
  gaps_total: number;
  refusals_total: Record<string, number>;
  limits: Record<string, number>;
}

export interface FieldError {
  path: string;
  message: string;
}

export interface ProblemBody {
  code: string;
  detail: string;
  errors?: FieldError[];
  after_ms?: number;
}

/** What to follow: exactly one of `user`, `topic` and `streams`. */
export interface TraceRequest {
  user?: string;
  topic?: string;
  streams?: string[];
  type?: string;
  payloads?: boolean;
  seconds?: number;
}

export interface TraceEvent {
  event: string;
  at: string;
  until?: string;
  user?: string;
  connection?: string;
  topic?: string;
  origin?: string;
  message?: string;
  type?: string;
  payload?: unknown;
  to?: Route | Route[];
  delivered?: number;
  position?: Position;
  stream?: string;
  messages?: number;
  roles?: string[];
  code?: number;
  reason?: string;
  skipped?: number;
}
