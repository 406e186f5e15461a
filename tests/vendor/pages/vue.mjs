import { createApp, h, onMounted, ref, watch } from "vue";
import { useChat } from "vue7";
import { id, keep, said, stopRun, textOf, transport } from "./kept.mjs";

createApp({
  setup() {
    const draft = ref("");
    const { messages, sendMessage, stop, status, resumeStream } = useChat({ id, transport, messages: said });
    onMounted(resumeStream);
    watch(messages, (all) => all.length && keep(all));
    const send = (event) => {
      event.preventDefault();
      sendMessage({ text: draft.value });
    };
    return () =>
      h("main", [
        h("ol", messages.value.map((each) => h("li", { key: each.id, class: each.role }, textOf(each)))),
        h("output", status.value),
        h("form", { onSubmit: send }, [
          h("input", { "aria-label": "Message", value: draft.value, onInput: (event) => (draft.value = event.target.value) }),
          h("button", "Send"),
        ]),
        h("button", { onClick: () => stopRun().then(stop) }, "Stop"),
      ]);
  },
}).mount("#page");
