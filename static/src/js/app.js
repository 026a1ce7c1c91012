// The one script: htmx and our behaviours, each in a file of its own, bound by data attributes. Every page works without it.
import htmx from "htmx.org";
import "htmx.org/dist/ext/hx-sse.js";
import "./focus.js";
import "./trouble.js";
import "./keep.js";
import "./draft.js";
import "./options.js";
import "./arrange.js";
import "./match.js";
import "./next.js";
import "./menu.js";
import "./time_zone.js";
import "./theme.js";
import "./copy.js";
import "./passkeys.js";
import "./live.js";
import "./watch.js";

// htmx would begin after a timeout; the page is complete here, and nobody should press a button before it listens.
htmx.initialize();
