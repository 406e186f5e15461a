/**
 * Requests and their answers over one WebSocket to an application, for all runs of a page; PROTOCOL.md 23.
 *
 * Each answer has a credit of bytes that its reader renews, so that a run which is not read holds up no other.
 * Where no socket can be opened, as behind some proxies, requests are sent otherwise for a while.
 */

import { Changes } from "./changes.js";
import type { Answer, Carrier, Order } from "./carrier.js";

/** How many bytes of an answer can arrive before they are read. */
const CREDIT = 262_144;
/** The maximum of a body that is sent with its request. */
const INLINE = 65_536;
const PIECE = 32_768;
/** How long opening a socket can take. */
const OPEN_MS = 5_000;
/** How long a socket stays open without a request. */
const IDLE_MS = 5_000;
/** How long no socket is tried after one could not be opened. */
const AGAIN_MS = 300_000;
/** The headers that a request can have; the token is sent in another way. */
const HEADERS = /^(accept|authorization|content-type|idempotency-key|if-none-match|last-event-id|prefer|run-share|upload-place|webhook-url)$/;

const sockets = new Map<string, Socket>();
const failedMs = new Map<string, number>();

/** A carrier over a socket to the application at `base`; what cannot go there is carried `otherwise`. */
export function bySocket(base: string, otherwise: Carrier): Carrier {
  return async (order) => {
    const socket = canCarry(order) && (await open(base, tokenOf(order)));
    return socket ? socket.ask(order, order.url.slice(base.length - 1)) : otherwise(order);
  };
}

/** Whether there is a socket to the application, or one can be opened. */
export async function hasSocket(base: string): Promise<boolean> {
  const socket = sockets.get(base);
  return socket?.isOpen ? socket.opened : Boolean(await open(base));
}

/** A request that must outlive its page, or has headers or credentials that a socket does not carry, is not for it. */
function canCarry(order: Order): boolean {
  const { keepalive, credentials, headers } = order;
  const isOurs = (name: string): boolean => HEADERS.test(name) && (name !== "authorization" || tokenOf(order) !== undefined);
  return !keepalive && credentials !== "omit" && [...headers.keys()].every(isOurs);
}

function tokenOf({ headers }: Order): string | undefined {
  return /^Bearer (.*)$/.exec(headers.get("Authorization") ?? "")?.[1];
}

async function open(base: string, token?: string): Promise<Socket | undefined> {
  if (!globalThis.WebSocket || Date.now() < (failedMs.get(base) ?? 0)) return undefined;
  let socket = sockets.get(base);
  // A request without a token is not sent with that of an earlier one, whose caller has signed out or is another client.
  if (!socket?.isOpen || (token === undefined && socket.hasToken)) sockets.set(base, (socket = new Socket(base, token)));
  if (await socket.opened) {
    socket.authorize(token);
    return socket;
  }
  failedMs.set(base, Date.now() + AGAIN_MS);
  return undefined;
}

/** A token as a subprotocol: a page cannot set the headers of a handshake. */
function protocolOf(token: string): string {
  const bytes = String.fromCharCode(...new TextEncoder().encode(token));
  return `yieldwire.token.${btoa(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
}

class Socket {
  /** Whether requests can be sent, or will be. */
  isOpen = true;
  /** Whether it could be opened. */
  readonly opened: Promise<boolean>;
  readonly #socket: WebSocket;
  readonly #answers: Map<number, SocketAnswer> = new Map();
  #token: string | undefined;
  #lastId = 0;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(base: string, token: string | undefined) {
    this.#token = token;
    const protocols = ["yieldwire", ...(token === undefined ? [] : [protocolOf(token)])];
    const socket = (this.#socket = new WebSocket(`${base.replace(/^http/, "ws")}ws`, protocols));
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => typeof data === "string" && this.#take(data));
    socket.addEventListener("close", ({ code }) => this.#end(`The socket was closed with ${code}`));
    socket.addEventListener("error", () => this.#end("The socket was lost")); // Node reports no close of one that was never open
    this.opened = new Promise((resolve) => {
      const late = setTimeout(() => socket.close(), OPEN_MS);
      const settle = (isOpen: boolean): void => {
        clearTimeout(late);
        resolve(isOpen);
      };
      socket.addEventListener("open", () => settle(true));
      for (const end of ["close", "error"]) socket.addEventListener(end, () => settle(false));
    });
  }

  /** Whether its requests have a token. */
  get hasToken(): boolean {
    return this.#token !== undefined;
  }

  /** Send a token that has changed. */
  authorize(token: string | undefined): void {
    if (token === undefined || token === this.#token) return;
    this.#token = token;
    this.say({ token });
  }

  /** Send a request, and return its answer when its head has arrived. */
  async ask(order: Order, path: string): Promise<Answer> {
    clearTimeout(this.#idle);
    const answer = new SocketAnswer(++this.#lastId, this);
    this.#answers.set(answer.id, answer);
    const leave = (): void => answer.leave();
    order.signal?.addEventListener("abort", leave);
    answer.ended.then(() => order.signal?.removeEventListener("abort", leave));
    if (order.signal?.aborted) leave();
    await this.#send(order, path, answer);
    await answer.head();
    return answer;
  }

  async #send({ method, headers, body, onUpload }: Order, path: string, answer: SocketAnswer): Promise<void> {
    const own = Object.fromEntries([...headers].filter(([name]) => name !== "authorization"));
    const head = { id: answer.id, method, path, credit: CREDIT };
    if (body === undefined || (typeof body === "string" && bytesIn(body) <= INLINE)) return this.say({ ...head, headers: own }, body);
    const encoded = new Response(body);
    const type = own["content-type"] ?? encoded.headers.get("content-type");
    const blob = await encoded.blob();
    this.say({ ...head, pieces: true, headers: { ...own, "content-type": type } });
    for (let at = 0; at < blob.size && (await answer.room(PIECE)); at += PIECE) {
      this.#piece(answer.id, new Uint8Array(await blob.slice(at, at + PIECE).arrayBuffer()));
      onUpload?.(Math.min(at + PIECE, blob.size), blob.size);
    }
    if (!answer.hasHead) this.#piece(answer.id, new Uint8Array());
  }

  say(head: object, body?: string): void {
    if (this.#socket.readyState === 1) this.#socket.send(JSON.stringify(head) + (body ? `\n${body}` : ""));
  }

  #piece(id: number, piece: Uint8Array): void {
    const message = new Uint8Array(4 + piece.length);
    new DataView(message.buffer).setUint32(0, id);
    message.set(piece, 4);
    if (this.#socket.readyState === 1) this.#socket.send(message);
  }

  /** Nothing more is taken for an answer. */
  forget(id: number): void {
    this.#answers.delete(id);
    if (!this.#answers.size) this.#idle = setTimeout(() => this.#close(), IDLE_MS);
  }

  #close(): void {
    this.isOpen = false;
    this.#socket.close(1000);
  }

  #take(message: string): void {
    const end = message.indexOf("\n");
    const head = JSON.parse(end < 0 ? message : message.slice(0, end)) as Head;
    if (head.retryMs) this.isOpen = false; // the server stops
    this.#answers.get(head.id ?? 0)?.take(head, end < 0 ? "" : message.slice(end + 1));
  }

  #end(why: string): void {
    this.isOpen = false;
    clearTimeout(this.#idle);
    for (const answer of [...this.#answers.values()]) answer.end(new TypeError(why));
  }
}

/** The head of a message. */
interface Head {
  readonly id?: number;
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly credit?: number;
  readonly end?: boolean;
  readonly aborted?: boolean;
  readonly retryMs?: number;
}

class SocketAnswer implements Answer {
  readonly id: number;
  status = 0;
  readonly statusText = "";
  /** Resolves at the end. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #changes: Changes = new Changes();
  #settle: () => void = () => undefined;
  #headers: Readonly<Record<string, string>> = {};
  #pieces: string[] = [];
  #room = 0;
  /** Bytes that were read since the last credit. */
  #read = 0;

  constructor(id: number, socket: Socket) {
    this.id = id;
    this.#socket = socket;
    this.ended = new Promise((resolve) => (this.#settle = resolve));
  }

  get hasHead(): boolean {
    return this.status > 0;
  }

  take({ status, headers = {}, credit = 0, end, aborted }: Head, body: string): void {
    if (status) [this.status, this.#headers] = [status, headers];
    this.#room += credit;
    if (body) this.#pieces.push(body);
    if (end || aborted) this.end(aborted ? new TypeError("The server aborted the answer") : undefined);
    else this.#changes.note();
  }

  end(failure?: Error): void {
    if (this.#changes.hasEnded) return;
    this.#socket.forget(this.id);
    this.#changes.end(failure);
    this.#settle();
  }

  leave(): void {
    if (this.#changes.hasEnded) return;
    this.#socket.say({ id: this.id, leave: true });
    this.end(new TypeError("The answer is not needed"));
  }

  async head(): Promise<void> {
    while (!this.hasHead) await this.#changes.next();
  }

  /** Wait until that many bytes of the body can be sent; whether they are needed. */
  async room(bytes: number): Promise<boolean> {
    while (this.#room < bytes && !this.hasHead) await this.#changes.next();
    this.#room -= bytes;
    return !this.hasHead;
  }

  header(name: string): string | null {
    return this.#headers[name.toLowerCase()] ?? null;
  }

  async text(): Promise<string> {
    let text = "";
    for await (const piece of this.pieces()) text += piece;
    return text;
  }

  async *pieces(): AsyncGenerator<string> {
    try {
      while (true) {
        const { hasEnded } = this.#changes;
        const pieces = this.#pieces;
        this.#pieces = [];
        for (const piece of pieces) {
          this.#grant(bytesIn(piece));
          yield piece;
        }
        if (this.#pieces.length) continue;
        if (hasEnded) return this.#changes.check();
        await this.#changes.next();
      }
    } finally {
      this.leave();
    }
  }

  #grant(bytes: number): void {
    this.#read += bytes;
    if (this.#read < CREDIT / 2 || this.#changes.hasEnded) return;
    this.#socket.say({ id: this.id, credit: this.#read });
    this.#read = 0;
  }
}

/** The server counts bytes, and strings have UTF-16. */
function bytesIn(text: string): number {
  return new TextEncoder().encode(text).length;
}
