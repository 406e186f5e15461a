/** Loads what few pages need, once. It rejects if the file is gone, as after a deploy: most of it can be done without. */
export const onDemand = (): Promise<typeof import("./lazy.js")> => import("./lazy.js");
