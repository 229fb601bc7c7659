// Loaded before the emulator. Each minute its collector removes the texts of deleted messages one by one, and sorts
// the index of all of them anew for each: with 20,000 deleted messages it answers nothing for over a minute.
const path = require("path");

const constants = path.join(path.dirname(process.argv[1]), "queue", "utils", "constants");
require(constants).DEFAULT_GC_INTERVAL_MS = 2 ** 31 - 1;
