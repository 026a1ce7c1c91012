// Keeps open pages current. The stream (#live) says that there is news; the bell and the list hear it and fetch themselves.
// Where no stream can be had they are told to look once a minute, and the server answers 304 while nothing has changed.
import htmx from "htmx.org";

const LOOK_EVERY = 60_000;
const LOOK_AGAIN = 5_000;
const SIGNED_OUT = new Set([401, 403]);
let looking = 0;

/** What the person has asked for and not yet been shown. Its answer brings the bell along and speaks for itself. */
const asked = new Set();
let news = false;

const live = () => document.getElementById("live");

function lookNowAndThen() {
  looking ||= setInterval(() => {
    if (!document.hidden && live()) htmx.trigger(live(), "news");
  }, LOOK_EVERY);
}

/** What could not be fetched is fetched a little later. */
function lookSoon() {
  setTimeout(() => live() && htmx.trigger(live(), "news"), LOOK_AGAIN);
}

function stopLooking() {
  clearInterval(looking);
  looking = 0;
}

document.addEventListener("htmx:before:request", (event) => {
  const { ctx } = event.detail;
  if (!ctx.sourceElement.matches("[data-live]")) asked.add(ctx);
  else if (ctx.sourceElement.id === "bell" && asked.size > 0) {
    event.preventDefault();
    news = true;
  }
});

document.addEventListener("htmx:finally:request", (event) => {
  if (!asked.delete(event.detail.ctx) || asked.size > 0 || !news) return;
  news = false;
  if (live()) htmx.trigger(live(), "news");
});

// What keeps itself current in the background never puts a failure on the page; it tries again at the next news.
document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  if (!ctx.sourceElement.matches("[data-live]") || ctx.response.status < 400) return;
  ctx.failed = true;
  ctx.swap = "none";
  if (SIGNED_OUT.has(ctx.response.status)) return;
  if (ctx.sourceElement.id === "live") lookNowAndThen();
  else if (ctx.response.status >= 500) lookSoon();
});

document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (ctx?.response || !ctx?.sourceElement.matches("[data-live]")) return;
  if (ctx.sourceElement.id === "live") lookNowAndThen();
  else lookSoon();
});

document.addEventListener("htmx:sse:error", (event) => {
  const { connection, status } = event.detail;
  if (SIGNED_OUT.has(status)) stopLooking();
  else if (connection?.attempt > 2) lookNowAndThen();
});

document.addEventListener("htmx:sse:after:connection", stopLooking);

// Once signed out, the stream need not be asked for again.
document.addEventListener("htmx:sse:before:connection", (event) => {
  const { connection } = event.detail;
  if (SIGNED_OUT.has(connection.status)) connection.cancelled = true;
});
