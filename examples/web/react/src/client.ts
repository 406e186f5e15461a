import { createClient } from "yieldwire";
import type { Actions } from "../../actions.gen";

export const actions = createClient<Actions>({ url: "/api/_actions" });
