/** The request that starts a run: identical each time it is sent, including its key, so that repeating it starts nothing twice. */

import { bodyOf, canBeRead, queryOf, uploadMs } from "./body.js";
import type { CallOptions, TransportName } from "./contract.js";
import { ActionError } from "./core/error.js";
import type { Answer } from "./transports/carrier.js";
import { EVENT_STREAM, type Wire } from "./wire.js";

/** One call, which can be sent more than once. */
export interface Start {
  /** Whether sending it again is as cheap as polling. */
  readonly isSmall: boolean;
  /** How much longer than usual its answer can take. */
  readonly uploadMs: number;
  /** Send it. Unless it `streams` it is answered at once, with only the run's id. */
  send(around: { readonly wire: Wire; readonly transport: TransportName | undefined }, streams: boolean, signal: AbortSignal): Promise<Answer>;
  /**
   * Cancel the run by its key, because its id is not known: if it has started it is stopped, otherwise it never starts.
   * Resolves when the server was told, or when the first try has failed. The caller can find the run of its own key again, so that is cancelled only if it `isStopped`.
   */
  withdraw(wire: Wire, isStopped?: boolean): Promise<unknown> | undefined;
}

/** The start of an action; `feeds`: the actions that are known to be started by GET. */
export function startOf(action: string, input: unknown, options: CallOptions, feeds: Set<string>): Start {
  const { method, detached, onUpload, idempotencyKey, webhook } = options;
  const body = bodyOf(input ?? {});
  const isSmall = typeof body === "string";
  const path = encodeURIComponent(action);
  const key = { "Idempotency-Key": idempotencyKey ?? newKey() };
  let canHaveArrived = false;
  if (method === "GET") feeds.add(action);
  return {
    isSmall,
    uploadMs: uploadMs(body),
    async send({ wire, transport }, streams, signal) {
      await canBeRead(body);
      const answer = streams && !detached ? { Accept: EVENT_STREAM } : { Prefer: detached ? "respond-async" : "wait=0" };
      const request = { headers: { ...key, ...answer, ...(webhook && { "Webhook-URL": webhook }) }, signal, transport, starts: () => void (canHaveArrived = true) };
      const get = (): Promise<Answer> => wire.send({ ...request, path: `${path}?${queryOf(input)}` });
      if (feeds.has(action)) return get();
      try {
        return await wire.send({ ...request, path, method: "POST", body, onUpload });
      } catch (reason) {
        const isWrongMethod = reason instanceof ActionError && reason.code === "METHOD_NOT_ALLOWED";
        if (!isWrongMethod || method || !isSmall) throw reason;
        // An action that refuses POST can be a feed; GET starts nothing else.
        const answer = await get();
        feeds.add(action);
        return answer;
      }
    },
    withdraw(wire, isStopped) {
      if (!canHaveArrived || (idempotencyKey && !isStopped)) return undefined;
      const told = new Promise((resolve, reject) => wire.ask(`${path}/cancel`, "POST", key, resolve).then(resolve, reject));
      told.catch(() => undefined); // it need not be awaited
      return told;
    },
  };
}

/** 128 random bits; `crypto.randomUUID` does not exist on http origins, this does. */
export function newKey(): string {
  return crypto.getRandomValues(new Uint8Array(16)).join("-");
}
