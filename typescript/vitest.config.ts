import { defineConfig } from "vitest/config";

const inPage = ["test/fetch.test.ts", "test/react.test.tsx", "test/vue.test.ts"];
const page = "./test/support/dom.ts";

export default defineConfig({
  test: {
    testTimeout: 30_000,
    hookTimeout: 30_000,
    projects: [
      { extends: true, test: { name: "node", include: ["test/**/*.test.ts"], exclude: inPage } },
      { extends: true, test: { name: "page", include: inPage, environment: page } },
      {
        extends: true,
        resolve: { alias: { react: "react18", "react-dom": "react-dom18" } },
        test: { name: "react 18", include: ["test/react.test.tsx"], environment: page, setupFiles: ["test/support/react18.ts"] },
      },
    ],
  },
});
