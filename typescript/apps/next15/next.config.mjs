import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

export default {
  output: "export",
  outputFileTracingRoot: root,
  eslint: { ignoreDuringBuilds: true },
  webpack(config) {
    config.optimization.minimize = false; // React would take a minute
    return config;
  },
};
