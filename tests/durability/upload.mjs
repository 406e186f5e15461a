/** Uploads a file with the built client, directly: `node upload.mjs CLIENT DIRECT URL FILE`; prints the result. */
import { openAsBlob } from "node:fs";

const [client, direct, url, file] = process.argv.slice(2);
const { createClient } = await import(client);
const { directUploads } = await import(direct);

const actions = createClient({ url, fetch: directUploads({ fromBytes: 1 }) });
const run = actions.measure({ file: new File([await openAsBlob(file)], "a.bin") });
console.log(JSON.stringify(await run.result()));
