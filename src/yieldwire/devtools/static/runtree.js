/** Runs as a tree: each below the run whose action started it. Pure. */

/**
 * @template {{ id: string, parent: string | null, createdAt: string }} T
 * @typedef {{ run: T, depth: number, children: number }} Branch
 */

/**
 * The newest first, and the children of an opened run below it, in the order in which they were started. A run whose
 * parent is not among them is at the top.
 * @template {{ id: string, parent: string | null, createdAt: string }} T
 * @param {readonly T[]} runs
 * @param {ReadonlySet<string>} opened
 * @returns {Branch<T>[]}
 */
export function treeOf(runs, opened) {
  const known = new Set(runs.map((run) => run.id));
  /** @type {Map<string, T[]>} */
  const below = new Map();
  for (const run of sorted(runs)) {
    const parent = run.parent !== null && known.has(run.parent) ? run.parent : "";
    below.set(parent, [...(below.get(parent) ?? []), run]);
  }
  /** @type {Branch<T>[]} */
  const tree = [];
  const waiting = (below.get("") ?? []).map((run) => ({ run, depth: 0 }));
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const children = below.get(next.run.id) ?? [];
    tree.push({ ...next, children: children.length });
    const depth = next.depth + 1;
    if (opened.has(next.run.id)) waiting.push(...children.map((run) => ({ run, depth })).reverse());
  }
  return tree;
}

/** The oldest first. @template {{ createdAt: string }} T @param {readonly T[]} runs */
const sorted = (runs) => [...runs].sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1));
