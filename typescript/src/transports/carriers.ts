/** The mechanisms that few requests need, each loaded when one does. */

import type { TransportName } from "../contract.js";
import type { Carrier } from "./carrier.js";

/** What carries a request to the application at `base` by a transport, or reports how much of its body was sent; `fetch` if nothing else can. */
export async function carrierFor(transport: TransportName | undefined, base: string, fetch: Carrier): Promise<Carrier> {
  const byXHR = globalThis.XMLHttpRequest && (await import("./xhr.js")).byXHR;
  if (transport !== "websocket") return byXHR ?? fetch;
  const { bySocket } = await import("./websocket.js");
  return bySocket(base, (order) => ((order.onUpload && byXHR) || fetch)(order));
}
