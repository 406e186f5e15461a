/** A page with nothing on it: its test calls functions of `window`. */

import { createClient } from "../../src/index.js";
import { shareStreams } from "../../src/sharing.js";

Object.assign(window, { createClient, shareStreams });
