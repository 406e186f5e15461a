// What both pages of a chat share: its id, its transport, and what its user has said, as a page keeps it.
import { DefaultChatTransport } from "ai7";

export const id = new URLSearchParams(location.search).get("id");
export const transport = new DefaultChatTransport({ api: "/kept7/chat" });
export const said = JSON.parse(localStorage[id] ?? "[]");

export const keep = (messages) =>
  (localStorage[id] = JSON.stringify(messages.filter(({ role }) => role === "user")));

/** Stop the run, not only this page's reading of it. */
export const stopRun = () => fetch(`/kept7/chat/${id}/stream`, { method: "DELETE" });

export const textOf = ({ parts }) => parts.map(({ text }) => text ?? "").join("");
