export { connect, Realtime } from "./client.js";
export { RealtimeError } from "./driver.js";
export type { Clock, TokenProvider } from "./driver.js";
export type { Command, ConnectionState, Gap, Message, Position, Session, SubscriptionStatus, TokenReason } from "./machine/types.js";
export type { HistoryOptions, HistoryPage, Options, Published, PublishOptions, Ready, SubscribeOptions, Subscription } from "./options.js";
export type { Known, Match, MessageOf, PayloadOf, PublicationOf, Topics, TypeOf, Untyped } from "./topics.js";
