import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds a gateway; `npm run fake` starts one that needs no servers.
const gateway = process.env.TEXTHUB_HTTP_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [svelte()],
  build: {
    target: "es2022",
    // names stay over builds: the binary's list of files is fixed when it is compiled
    rollupOptions: {
      output: {
        entryFileNames: "desk.js",
        chunkFileNames: "chunks/[name]-[hash].js",
        assetFileNames: "desk[extname]",
      },
    },
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: {
    proxy: {
      "/api": { target: gateway, ws: true },
      "/chat": { target: gateway },
    },
  },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
