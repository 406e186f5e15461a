// Components without a page, for what only a component can call: a composable of Vue, or a hook of React.
//
// Each function resolves when the component is mounted, to `now()`, what its composable or hook
// returns, and to `settled()`, which resolves when every change so far is in it.
import { createElement, useEffect } from "react";
import { create } from "react-test-renderer";
import { createRenderer, nextTick, proxyRefs } from "vue";

const nothing = () => {};
const element = () => ({});
const { createApp } = createRenderer({
  patchProp: nothing, insert: nothing, remove: nothing, setText: nothing, setElementText: nothing,
  createElement: element, createText: element, createComment: element,
  parentNode: () => null, nextSibling: () => null,
});

export async function vue(compose) {
  let it;
  createApp({ setup: () => ((it = proxyRefs(compose())), () => null) }).mount({});
  return { now: () => it, settled: nextTick };
}

export async function react(use) {
  let it;
  const Component = ({ onRender }) => {
    it = use();
    useEffect(onRender, [onRender]);
    return null;
  };
  const root = create(createElement(Component, { onRender: nothing }));
  // React renders in order: when this is rendered, so is everything before it.
  const settled = () => new Promise((resolve) => root.update(createElement(Component, { onRender: () => resolve() })));
  await settled();
  return { now: () => it, settled };
}
