import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react()],
  base: "/react/", // where app.py serves what is built
  build: { outDir: "../dist/react", emptyOutDir: true },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
  resolve: { dedupe: ["react", "react-dom"] }, // yieldwire is linked here, and has a React of its own for its tests
});
