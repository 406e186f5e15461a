/** What a bundler is given: every entry of the package, and a run. */

import { createClient } from "yieldwire";
import * as react from "yieldwire/react";
import { shareStreams } from "yieldwire/sharing";
import * as solid from "yieldwire/solid";
import * as svelte from "yieldwire/svelte";
import * as vue from "yieldwire/vue";

export const hooks = [react, solid, svelte, vue].map((binding) => Object.keys(binding).sort().join());

export async function count(url) {
  const client = createClient({ url, fetch: shareStreams() });
  const chunks = [];
  for await (const chunk of client.count({ to: 2 })) chunks.push(chunk);
  return chunks;
}
