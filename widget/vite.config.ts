import { defineConfig } from "vite";

// One classic script, so that `document.currentScript` names its tag; the style is a text in it.
export default defineConfig({
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: false,
    lib: { entry: "src/main.ts", formats: ["iife"], name: "texthubWidget", fileName: () => "widget.js" },
  },
});
