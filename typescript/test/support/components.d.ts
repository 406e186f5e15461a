declare module "*.svelte?server" {
  export { default } from "*.svelte";
}
