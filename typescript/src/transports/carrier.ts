/** How a request is sent and its answer received, independent of the mechanism. */

/** One request. */
export interface Order {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body?: string | FormData | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly keepalive?: boolean | undefined;
  readonly credentials: RequestCredentials | undefined;
  readonly onUpload?: ((sentBytes: number, totalBytes: number) => void) | undefined;
}

/** One answer, whose head has arrived. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  header(name: string): string | null;
  /** The whole body. */
  text(): Promise<string>;
  /** The body as it arrives, with its byte order mark. Leaving the iteration closes the connection. */
  pieces(): AsyncIterable<string>;
}

/** Sends a request; rejects if there is no answer. */
export type Carrier = (order: Order) => Promise<Answer>;
