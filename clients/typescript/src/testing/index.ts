export { TestServer, type Refusal, type TestServerOptions } from "./server.js";
