/** A page with nothing on it: its test calls functions of `window`. */

import { createClient } from "../../src/index.js";
import { RunObserver } from "../../src/observer.js";
import { shareStreams } from "../../src/sharing.js";

Object.assign(window, { createClient, RunObserver, shareStreams });
