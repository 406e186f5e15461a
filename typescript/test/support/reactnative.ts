/** `URL` and `URLSearchParams` as React Native has them before 0.80: what it does not implement throws. */

const UNIMPLEMENTED = ["hash", "host", "hostname", "origin", "password", "pathname", "port", "protocol", "search", "username"];

export class NativeURL {
  readonly #url: string;

  constructor(url: string, base?: string | NativeURL) {
    if (!base || /^\w+:\/\//.test(url)) {
      this.#url = url.endsWith("/") ? url : `${url}/`;
      return;
    }
    const below = String(base).replace(/\/$/, "");
    const path = below.endsWith(url) ? "" : url;
    this.#url = `${below}${path.startsWith("/") ? "" : "/"}${path}`;
  }

  get href(): string {
    return this.#url;
  }

  toString(): string {
    return this.#url;
  }
}

for (const name of UNIMPLEMENTED) {
  Object.defineProperty(NativeURL.prototype, name, {
    get() {
      throw new Error("not implemented");
    },
  });
}

export class NativeURLSearchParams {
  readonly #fields: [string, string][] = [];

  constructor(fields: Readonly<Record<string, string>> = {}) {
    for (const name of Object.keys(fields)) this.append(name, fields[name] as string);
  }

  append(name: string, value: string): void {
    this.#fields.push([name, value]);
  }

  toString(): string {
    return this.#fields.map((field) => field.map(encodeURIComponent).join("=")).join("&");
  }
}
