/** Which module can import which in `src`. */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true },
    },
    {
      name: "the-core-is-pure",
      comment: "The core imports nothing but itself; its tsconfig keeps the DOM and Node out.",
      severity: "error",
      from: { path: "^src/core/" },
      to: { pathNot: "^src/core/" },
    },
    {
      name: "frameworks-stay-in-their-binding",
      severity: "error",
      from: { pathNot: "^src/(react|solid|svelte|vue)\\.ts$" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-peer", "npm-optional", "npm-no-pkg", "core"] },
    },
    {
      name: "one-framework-a-binding",
      severity: "error",
      from: { path: "^src/(react|solid|svelte|vue)\\.ts$" },
      to: { dependencyTypes: ["npm", "npm-dev", "npm-peer", "npm-optional", "npm-no-pkg", "core"], pathNot: "node_modules/(@types/)?$1" },
    },
    {
      name: "nobody-imports-a-binding",
      severity: "error",
      from: {},
      to: { path: "^src/(react|solid|svelte|vue)\\.ts$" },
    },
    {
      name: "not-to-unresolvable",
      severity: "error",
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    parser: "swc", // TypeScript 7 has no compiler API to use
    doNotFollow: { path: "node_modules" },
    enhancedResolveOptions: { extensions: [".ts", ".js"], exportsFields: ["exports"], conditionNames: ["import", "types"] },
  },
};
