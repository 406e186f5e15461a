// The public suite of Durable Streams, unmodified, against the server at SUITE_URL.

import { runConformanceTests } from "@durable-streams/server-conformance-tests";

runConformanceTests({ baseUrl: process.env.SUITE_URL, longPollTimeoutMs: 1000 });
