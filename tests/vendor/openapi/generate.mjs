// Generates clients of OpenAPI documents: `node generate.mjs <folder>…` reads `openapi.json` in each.
// Hey API's client goes into `client/`, and the types for openapi-fetch into `api.d.ts`.

import { readFileSync, writeFileSync } from "node:fs";
import { createClient } from "@hey-api/openapi-ts";
import openapiTS, { astToString } from "openapi-typescript";

for (const folder of process.argv.slice(2)) {
  const input = `${folder}/openapi.json`;
  await createClient({
    input,
    output: { path: `${folder}/client`, module: { extension: ".ts" } },
    logs: { level: "silent" },
  });
  const types = await openapiTS(JSON.parse(readFileSync(input, "utf8")));
  writeFileSync(`${folder}/api.d.ts`, astToString(types));
}
