// Notes how long each garbage collection takes; Node loads it by NODE_OPTIONS.
import { appendFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";

const note = (list) => {
  const lines = list.getEntries().map(({ duration }) => `${Math.round(duration * 1e6)}\n`);
  appendFileSync(process.env.BENCH_PAUSES, lines.join(""));
};
new PerformanceObserver(note).observe({ entryTypes: ["gc"] });
