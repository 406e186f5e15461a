/** A TCP proxy that breaks connections as its script says, connection by connection. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** What one connection suffers. Bytes are counted from the answer's first. */
export interface Fault {
  /** Reset after that many bytes of the answer; 0 loses an answer that the server gave. */
  readonly cutAfter?: number;
  /** Nothing of the answer comes before its end, as where a proxy buffers. */
  readonly buffers?: boolean;
  /** After that many bytes nothing more comes, and nobody says so. */
  readonly freezesAfter?: number;
  /** The answer comes in pieces of that many bytes. */
  readonly piece?: number;
}

/** Passes connections on to a port of this machine, as far as its script lets it. */
export class Proxy {
  connections = 0;
  /** What each request asked for first, `GET /path`. */
  readonly requests: string[] = [];
  readonly #script: (connection: number, request: string) => Fault;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => this.#serve(socket));
  #target: number;

  constructor(target: number, script: (connection: number, request: string) => Fault = () => ({})) {
    this.#target = target;
    this.#script = script;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  async start(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return this;
  }

  async stop(): Promise<void> {
    this.dropAll();
    this.#server.close();
    await once(this.#server, "close");
  }

  /** Reset every connection that is open. */
  dropAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  #serve(client: Socket): void {
    const number = this.connections++;
    const upstream = connect(this.#target, "127.0.0.1");
    for (const socket of [client, upstream]) {
      this.#sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
    }
    let fault: Fault | undefined;
    client.on("data", (data) => {
      const line = data.toString("latin1").split(" HTTP/", 1)[0] ?? "";
      if (/^(GET|POST|DELETE) /.test(line)) {
        this.requests.push(line);
        fault = this.#script(number, line);
      }
      // A proxy that buffers hands over an answer at its end, which a connection that is kept alive would not show.
      upstream.write(fault?.buffers ? data.toString("latin1").replace("\r\n", "\r\nConnection: close\r\n") : data, "latin1");
    });
    client.on("close", () => upstream.destroy());
    pass(upstream, client, () => fault ?? {});
  }
}

function pass(upstream: Socket, client: Socket, faultOf: () => Fault): void {
  let sent = 0;
  const held: Buffer[] = [];
  const send = (data: Buffer): void => {
    const { cutAfter = Number.POSITIVE_INFINITY, freezesAfter = Number.POSITIVE_INFINITY, piece = data.length } = faultOf();
    const rest = data.subarray(0, Math.max(0, Math.min(cutAfter, freezesAfter) - sent));
    for (let start = 0; start < rest.length; start += piece) client.write(rest.subarray(start, start + piece));
    sent += rest.length;
    if (sent >= cutAfter || (cutAfter === 0 && data.length)) client.resetAndDestroy();
  };
  upstream.on("data", (data: Buffer) => (faultOf().buffers ? void held.push(data) : send(data)));
  upstream.on("end", () => {
    for (const data of held) send(data);
    if (faultOf().freezesAfter === undefined) client.end();
  });
  upstream.on("close", () => {
    if (faultOf().freezesAfter === undefined) client.destroy();
  });
}
