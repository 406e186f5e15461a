import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [vue()],
  base: "/vue/", // where app.py serves what is built
  build: { outDir: "../dist/vue", emptyOutDir: true },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  resolve: { dedupe: ["vue"] }, // yieldwire is linked here, and has a Vue of its own for its tests
});
