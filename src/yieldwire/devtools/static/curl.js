/** The curl line for a call, for a POSIX shell. Pure. */

/** One argument, so that a shell takes it as it is. */
export function quote(text) {
  return /^[A-Za-z0-9_\-./:=@%+,]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `curl` for starting a run. `entries` are the multipart parts `[name, text or File]`; without them `input` goes as JSON. */
export function curlOf({ url, method = "POST", input = {}, entries = null, query = "", isAuthorized = false }) {
  const lines = [`curl -N ${quote(url + (query ? `?${query}` : ""))}`, "-H 'Accept: text/event-stream'"];
  if (isAuthorized) lines.push('-H "Authorization: $AUTHORIZATION"'); // from the environment: a secret has no place in a shell's history
  if (method === "POST" && entries) lines.push(...entries.map(partOf));
  else if (method === "POST") lines.push("-H 'Content-Type: application/json'", `-d ${quote(JSON.stringify(input))}`);
  return lines.join(" \\\n  ");
}

/** `curl` for following a run that exists. */
export function curlOfRun({ url, isAuthorized = false }) {
  return curlOf({ url, method: "GET", isAuthorized });
}

function partOf([name, value]) {
  // In -F a leading @ or < reads a file and a ; begins an option; --form-string takes the text as it is.
  if (typeof value === "string")
    return `${/^[@<]|[;"]/.test(value) ? "--form-string" : "-F"} ${quoteAlways(`${name}=${value}`)}`;
  const file = /[;,"\\]/.test(value.name)
    ? `"${value.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`
    : value.name;
  return `-F ${quoteAlways(`${name}=@${file}`)}`;
}

const quoteAlways = (text) => `'${text.replaceAll("'", "'\\''")}'`;
