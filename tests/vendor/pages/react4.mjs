import { createElement as h } from "react";
import { createRoot } from "react-dom/client";
import { useChat } from "react4";

const id = new URLSearchParams(location.search).get("id");

function Chat() {
  const { messages, input, handleInputChange, handleSubmit, stop, status } = useChat({ id, api: "/v4/legacy" });
  return h("main", null, [
    h("ol", { key: "log" }, messages.map((each) => h("li", { key: each.id, className: each.role }, each.content))),
    h("output", { key: "status" }, status),
    h("form", { key: "form", onSubmit: handleSubmit }, [
      h("input", { key: "in", "aria-label": "Message", value: input, onChange: handleInputChange }),
      h("button", { key: "send" }, "Send"),
    ]),
    h("button", { key: "stop", onClick: stop }, "Stop"),
  ]);
}

createRoot(document.getElementById("page")).render(h(Chat));
