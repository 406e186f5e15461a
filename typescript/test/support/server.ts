/** Real servers: the fixture application in a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PYTHON = fileURLToPath(new URL("../../../.venv/bin/python", import.meta.url));
const APP = fileURLToPath(new URL("./app.py", import.meta.url));

/** A server that can be killed and started again on the port that it had. */
export class Server {
  readonly #store: string;
  #process: ChildProcess | undefined;
  port = 0;

  constructor(store: string = "memory") {
    this.#store = store;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start(): Promise<this> {
    const child = spawn(PYTHON, [APP, this.#store, String(this.port)], { stdio: ["pipe", "pipe", "inherit"] });
    this.#process = child;
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    this.port = Number(line.toString());
    return this;
  }

  /** As a crash does it: nothing is said to anybody. */
  async kill(): Promise<void> {
    this.#process?.kill("SIGKILL");
    await this.#ended();
  }

  async stop(): Promise<void> {
    this.#process?.stdin?.end();
    await this.#ended();
  }

  async #ended(): Promise<void> {
    if (this.#process && this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, "exit");
  }
}
