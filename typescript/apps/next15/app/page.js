import { createClient } from "yieldwire";
import { Counter } from "./counter";

export default function Page() {
  return <main><h1>{createClient({ url: "/api/_actions" }).count.action}</h1><Counter /></main>;
}
