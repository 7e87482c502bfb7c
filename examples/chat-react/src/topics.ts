// Generated from the message contract by `realtime-server schemas`. Do not edit.

/** The messages of topics: for each topic pattern, the payload of each message type. */
export type Topics = {
  "room:*": {
    "said": Said;
  };
  "room:*:typing": {
    "typing": Typing;
  };
};

/** The messages of the other streams: `user`, `role:ROLE`, `role:*` and `all`. */
export type Streams = {
};

/** A message of a room. */
export type Said = {
  /** The user who wrote it; the backend compares it with the token. */
  from: string;
  text: string;
};

/** A user is writing in a room. */
export type Typing = {
  from: string;
};
