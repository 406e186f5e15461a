/** The curl line for a call, for a POSIX shell. Pure. */

/**
 * @typedef {object} CurlCall
 * @property {string} url
 * @property {"GET" | "POST"} [method]
 * @property {Record<string, unknown>} [input] Sent as JSON, unless there are entries.
 * @property {[string, FormDataEntryValue][] | null} [entries] The multipart parts.
 * @property {string} [query]
 * @property {boolean} [isDetached]
 * @property {boolean} [isAuthorized]
 */

/** One shell argument, quoted if necessary. @param {string} text */
export function quote(text) {
  return /^[A-Za-z0-9_\-./:=@%+,]+$/.test(text) ? text : quoteAlways(text);
}

/** `curl` for starting a run. @param {CurlCall} call */
export function curlOf({
  url,
  method = "POST",
  input = {},
  entries = null,
  query = "",
  isDetached = false,
  isAuthorized = false,
}) {
  const lines = [`curl -N ${quote(url + (query ? `?${query}` : ""))}`];
  lines.push(isDetached ? "-H 'Prefer: respond-async'" : "-H 'Accept: text/event-stream'");
  if (isAuthorized) lines.push('-H "Authorization: $AUTHORIZATION"'); // from the environment: a secret has no place in a shell's history
  if (method === "POST" && entries) lines.push(...entries.map(partOf));
  else if (method === "POST") lines.push("-H 'Content-Type: application/json'", `-d ${quote(JSON.stringify(input))}`);
  return lines.join(" \\\n  ");
}

/** `curl` for following an existing run. @param {{ url: string, isAuthorized?: boolean }} run */
export function curlOfRun({ url, isAuthorized = false }) {
  return curlOf({ url, method: "GET", isAuthorized });
}

/** @param {[string, FormDataEntryValue]} entry */
function partOf([name, value]) {
  // In -F a leading @ or < reads a file and a ; starts an option; --form-string takes the text literally.
  if (typeof value === "string")
    return `${/^[@<]|[;"]/.test(value) ? "--form-string" : "-F"} ${quoteAlways(`${name}=${value}`)}`;
  const file = /[;,"\\]/.test(value.name)
    ? `"${value.name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`
    : value.name;
  return `-F ${quoteAlways(`${name}=@${file}`)}`;
}

/** @param {string} text */
const quoteAlways = (text) => `'${text.replaceAll("'", "'\\''")}'`;
