import { createElement as h, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { useChat } from "react7";
import { id, keep, said, stopRun, textOf, transport } from "./kept.mjs";

function Chat() {
  const [draft, setDraft] = useState("");
  const { messages, sendMessage, stop, status } = useChat({ id, transport, messages: said, resume: true });
  useEffect(() => {
    if (messages.length) keep(messages);
  }, [messages]);
  const send = (event) => {
    event.preventDefault();
    sendMessage({ text: draft });
  };
  return h("main", null, [
    h("ol", { key: "log" }, messages.map((each) => h("li", { key: each.id, className: each.role }, textOf(each)))),
    h("output", { key: "status" }, status),
    h("form", { key: "form", onSubmit: send }, [
      h("input", { key: "in", "aria-label": "Message", value: draft, onChange: (event) => setDraft(event.target.value) }),
      h("button", { key: "send" }, "Send"),
    ]),
    h("button", { key: "stop", onClick: () => stopRun().then(stop) }, "Stop"),
  ]);
}

createRoot(document.getElementById("page")).render(h(Chat));
