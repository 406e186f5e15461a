export default {
  root: import.meta.dirname,
  logLevel: "warn",
  build: { outDir: "dist/vite", lib: { entry: "page.js", formats: ["es"], fileName: "page" }, emptyOutDir: true },
};
