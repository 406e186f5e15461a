/** Mounts what a component's setup returns. */

import { createApp, createSSRApp, defineComponent, h, proxyRefs } from "vue";
import { renderToString } from "vue/server-renderer";

/** A component that shows what it has set up, and where that can be had. */
function component<Value extends object>(setup: () => Value) {
  const made: Value[] = [];
  const Host = defineComponent({
    setup() {
      const value = setup();
      made.push(value);
      const shown = proxyRefs(value);
      return () => h("p", JSON.stringify(shown));
    },
  });
  return { Host, made };
}

/** Mount a component with this setup. */
export function mount<Value extends object>(setup: () => Value) {
  const { Host, made } = component(setup);
  const app = createApp(Host);
  const element = document.createElement("main");
  app.mount(element);
  return { ...made[0]!, element, unmount: () => app.unmount() };
}

/** Render on a server, and take the page over in a browser. */
export async function hydrate<Value extends object>(setup: () => Value) {
  const onServer = component(setup);
  const html = await renderToString(createSSRApp(onServer.Host));
  const { Host, made } = component(setup);
  const app = createSSRApp(Host);
  const complaints: unknown[] = [];
  app.config.warnHandler = (message) => complaints.push(message);
  const element = document.createElement("main");
  element.innerHTML = html;
  app.mount(element);
  return { ...made[0]!, html, complaints, unmount: () => app.unmount() };
}
