// Runs every case of one client, and prints what each observed: `node drive.mjs <client> <url>`.
// A client of several versions is followed by a colon and one of them; one with an extension is a file.
//
// A client is a module that exports `cases(url)`: functions by name, each of which returns what a
// person who uses the client would see. They run at the same time, in one process.

const [wanted, url] = process.argv.slice(2);
const [client, version] = wanted.split(":");
const CASE_MS = 20_000;

function late(name) {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`${name} took too long`)), CASE_MS).unref();
  });
}

async function observe([name, run]) {
  try {
    return [name, { value: (await Promise.race([run(), late(name)])) ?? null }];
  } catch (error) {
    return [name, { failure: String(error?.stack ?? error) }];
  }
}

const file = /\.\w+$/.test(client) ? client : `${client}.mjs`;
const { cases } = await import(new URL(file, import.meta.url));
const observed = await Promise.all(Object.entries(await cases(url, version)).map(observe));
process.stdout.write(JSON.stringify(Object.fromEntries(observed)), () => process.exit(0));
