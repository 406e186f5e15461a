export default defineNuxtConfig({
  compatibilityDate: "2026-11-01",
  telemetry: false,
  devtools: { enabled: false },
  nitro: { preset: "node" }, // a listener, which a test gives a port
});
