/** Formats values for people. Pure. */

const count = new Intl.NumberFormat("en");

/** @param {unknown} value */
export const number = (value) => (typeof value === "number" ? count.format(value) : String(value));

/** `4 of 10 · 40 %`, or what of that is known and not in the message too. @param {any} progress */
export function progressLabel({ current, total, percent, message }) {
  const isSaid = sayerOf(message);
  if (total === null || total === undefined) return isSaid(current) ? "" : number(current);
  const share = percent ?? (total > 0 ? (100 * current) / total : null);
  const parts = [isSaid(current, total) ? null : `${number(current)} of ${number(total)}`];
  if (share !== null && !isSaid(`${Math.floor(share)}%`)) parts.push(`${Math.floor(share)} %`);
  return parts.filter(Boolean).join(" · ");
}

/** Whether a message has these values, one after the other. @param {unknown} message */
function sayerOf(message) {
  const words = String(message ?? "").replaceAll(/(?<=\d)[,_\s](?=\d{3}\b)/g, "").replaceAll(" %", "%").match(/[\d.]*\d%?/g) ?? [];
  const text = ` ${words.join(" ")} `;
  return (/** @type {unknown[]} */ ...values) => text.includes(` ${values.join(" ")} `);
}

/** Whether two values are the same as JSON. @param {unknown} one @param {unknown} other */
export const isEqual = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** About how many characters a JSON value has. @param {unknown} value */
export function weight(value) {
  const left = [value];
  let sum = 0;
  while (left.length) {
    const each = left.pop();
    if (typeof each === "string") sum += each.length;
    else if (each !== null && typeof each === "object") for (const inner of Object.values(each)) left.push(inner);
    sum += 8;
  }
  return sum;
}

/** A duration: `820 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`. @param {number} ms */
export function duration(ms) {
  if (!(ms >= 0)) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

/**
 * Where a run waits: `3 runs are before it, about 41 s`, in the words of `log/waiting.py`.
 * @param {import("../client.js").Waiting} waiting
 */
export function place({ before, expectedMs, notBefore }) {
  if (notBefore) return `starts at ${new Date(notBefore).toLocaleString()}`;
  if (before === null) return "";
  const runs = before === 0 ? "next in line" : before === 1 ? "1 run is before it" : `${number(before)} runs are before it`;
  return expectedMs === null ? runs : `${runs}, about ${duration(Math.max(1000, Math.round(expectedMs / 1000) * 1000)).replace(".0 s", " s")}`;
}

/** How long ago: `now`, `12 s ago`, `5 min ago`, then the date. @param {string} time @param {number} [now] */
export function ago(time, now = Date.now()) {
  const seconds = Math.max(0, Math.round((now - Date.parse(time)) / 1000));
  if (seconds < 3) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(time).toLocaleString();
}

/** A size: `820 B`, `4.2 kB`, `3.1 MB`. @param {number} size */
export function bytes(size) {
  if (size < 1000) return `${size} B`;
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(units.length, Math.floor(Math.log10(size) / 3));
  return `${(size / 1000 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** How many in a second: `12.3/s`, `1,204/s`. @param {number | undefined} perSecond */
export function rate(perSecond) {
  if (perSecond === undefined) return "";
  return `${perSecond < 100 ? Number(perSecond.toFixed(1)) : count.format(Math.round(perSecond))}/s`;
}

/** JSON on one line, cut at `limit` characters. @param {unknown} value @param {number} [limit] */
export function brief(value, limit = 240) {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > limit ? `${text.slice(0, limit)}…` : text;
}

/** What a model's chunks say in one line, by their types. @type {Record<string, (data: any) => string>} */
const MODEL = {
  reasoning: (data) => JSON.stringify(data.text),
  "tool-input": (data) => `${data.name} … ${data.delta}`,
  "tool-call": (data) => `${data.name} ${brief(data.input)}`,
  "tool-output": (data) => brief(data.output),
  "tool-error": (data) => data.message,
  usage: (data) => `${data.input_tokens} tokens in, ${data.output_tokens} out`,
  finish: (data) => data.reason,
};

/** The types of a model's chunks that are pieces, or facts about its answer, each with a member that it has. */
const QUIET = new Map([
  ["reasoning", "text"],
  ["tool-input", "delta"],
  ["message-metadata", "metadata"],
  ["step-start", "type"],
  ["step-end", "type"],
  ["usage", "input_tokens"],
  ["finish", "reason"],
]);

/** Whether a chunk is only one of the events, and not shown with the output. @param {any} data */
export const isQuiet = (data) => Object.hasOwn(data ?? {}, QUIET.get(data?.type) ?? Symbol());

/**
 * An event's data in one line: known chunks in words, errors by code, anything else as JSON.
 * @param {{ type: string, data: any }} event
 */
export function gist({ type, data }) {
  if (type === "error" || type === "cancelled") return `${data?.code}: ${data?.message}`;
  if (type === "question") return `${data?.name}: ${data?.prompt}`;
  if (type === "chunk" && data?.type === "text") return JSON.stringify(data.text);
  if (type === "chunk" && data?.type === "progress")
    return [progressLabel(data), data.message].filter(Boolean).join(" · ");
  if (type === "chunk" && Object.hasOwn(MODEL, data?.type)) {
    const text = MODEL[data.type]?.(data);
    if (text) return `${data.type} · ${text}`;
  }
  return brief(data);
}

/** @param {string} id */
export const shortId = (id) => (id.length > 10 ? `${id.slice(0, 8)}…` : id);
