// Says quietly beside the buttons whether the half-written answer is kept on the server. htmx does the keeping: a moment after
// the last key and, where the page is left before that moment is over, at once.
import htmx from "htmx.org";
import { forget, keep } from "./keep.js";

/** How long the tab remembers what it sends while it goes: a page that is loaded again may be asked for sooner. */
const ON_ITS_WAY = 30_000;

/** Browsers refuse to go on with more than 64 KiB once the page is gone. */
const MOST_KEPT_ALIVE = 60_000;

/** The draft that has changed since it was last sent. */
let unsent = null;

const isDraft = (ctx) => ctx?.sourceElement.matches("[data-draft]");

function say(ctx, what) {
  const status = ctx.sourceElement.closest("form")?.querySelector("[data-draft-status]");
  if (status) status.textContent = status.dataset[what];
}

document.addEventListener("input", (event) => {
  unsent = event.target.closest?.("form")?.querySelector("[data-draft]") ?? unsent;
});

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  if (!isDraft(ctx)) return;
  unsent = null;
  ctx.request.keepalive = new URLSearchParams(ctx.request.body).toString().length < MOST_KEPT_ALIVE;
});

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  if (!isDraft(ctx)) return;
  const kept = ctx.response.status < 400;
  if (kept) {
    forget(ctx.sourceElement.closest("form"));
  } else {
    ctx.failed = true;
    ctx.swap = "none";
  }
  say(ctx, kept ? "saved" : "unsaved");
});

document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (isDraft(ctx)) say(ctx, "unsaved");
});

function leave() {
  const draft = unsent;
  unsent = null;
  if (!draft?.isConnected) return;
  keep(draft.closest("form"), ON_ITS_WAY);
  htmx.trigger(draft, "leave");
}

addEventListener("pagehide", leave);
document.addEventListener("visibilitychange", () => {
  if (document.hidden) leave();
});

addEventListener("online", () => {
  document.querySelector("form:has([data-draft])")?.dispatchEvent(new Event("input", { bubbles: true }));
});
