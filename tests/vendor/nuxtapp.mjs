// What Nuxt's composables give nuxt-actions, as far as it uses them: `#app`, reduced to a page.

import { ofetch } from "ofetch";
import { ref } from "vue";

let app;

export function openPage(url) {
  app = { $fetch: ofetch.create({ baseURL: url, retry: 0 }), payload: { data: {} }, static: { data: {} } };
  // A page resolves the paths that it fetches by its own origin.
  const inNode = globalThis.fetch;
  globalThis.fetch = (target, init) => inNode(new URL(target, url), init);
}

export const useNuxtApp = () => app;
export const useRequestURL = () => new URL("http://localhost");

export function useAsyncData(key, load, options) {
  const data = ref(null);
  const status = ref("idle");
  const refresh = async () => {
    status.value = "pending";
    data.value = await load();
    status.value = "success";
  };
  const settled = options.immediate ? refresh() : Promise.resolve();
  return { data, status, pending: ref(false), refresh, clear: () => (data.value = null), settled };
}
export const refreshNuxtData = async () => {};
export const clearNuxtData = () => {};
