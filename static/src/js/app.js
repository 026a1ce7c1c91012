// The one script: htmx and our behaviours, each in a file of its own, each bound by a data attribute.
import htmx from "htmx.org";

globalThis.htmx = htmx;
