// Fields of the state, its streams, timers and commands: none is on the wire or in the API, so their names may be shortened.
const NAMES = [
  "asked", "attemptedAt", "body", "bytes", "closingFrame", "commands", "complete", "due", "expiresAt", "generation", "given", "graced", "handles",
  "held", "lastNumber", "lastToken", "leaving", "loadCount", "loadReason", "loading", "loads", "maxOfflineBytes", "nextId", "notBefore", "probe",
  "receivedAt", "refusals", "refused", "replied", "requested", "resuming", "seen", "sent", "shown", "stage", "table", "terms", "timers", "tries",
  "welcomes",
];

export const INTERNAL = new RegExp(`^(${NAMES.join("|")})$`);
