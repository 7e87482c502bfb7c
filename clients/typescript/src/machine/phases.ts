// The phases of a client and of a subscription: numbers, in their order.

/** The client has been stopped, or was not started. */
export const STOPPED = 0;
/** Until the next attempt. */
export const WAITING = 1;
/** The provider is asked for a token. */
export const ASKING = 2;
/** Until `welcome`. */
export const DIALING = 3;
/** The server reads commands; streams catch up. */
export const RESUMING = 4;
/** Every stream has caught up. */
export const LIVE = 5;

/** No subscription. */
export const IDLE = 0;
/** The server ended or refused it. */
export const ENDED = 1;
/** The application loads its state. */
export const LOADING = 2;
/** It is to be asked for. */
export const QUEUED = 3;
/** The command is in flight. */
export const PENDING = 4;
/** The server has it. */
export const SUBSCRIBED = 5;

export type Phase = typeof STOPPED | typeof WAITING | typeof ASKING | typeof DIALING | typeof RESUMING | typeof LIVE;
export type StreamPhase = typeof IDLE | typeof ENDED | typeof LOADING | typeof QUEUED | typeof PENDING | typeof SUBSCRIBED;
