import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const backend = "http://127.0.0.1:3000";

export default defineConfig({
  plugins: [react()],
  server: { proxy: { "/session": backend, "/token": backend } },
  // Our client is a link into this repository, which has a React of its own: one React for both. Not needed with npm.
  resolve: { dedupe: ["react"] },
});
