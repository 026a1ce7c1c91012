// A request that fails never touches the page: a calm message appears beside it, and the input stays to be sent again.
import { forget, keep } from "./keep.js";

const INVALID = 422; // the form comes back with its faults: swapped as usual

/** What failed last: the element that asked, and the button that was pressed. */
let failed = null;

const region = () => document.getElementById("trouble");

function fallback(name) {
  return document.getElementById(`trouble-${name}`)?.innerHTML ?? "";
}

function remember(ctx) {
  failed = { source: ctx.sourceElement, submitter: ctx.request.submitter };
  ctx.failed = true;
  const form = ctx.sourceElement.closest("form[data-keep]");
  if (form) keep(form);
}

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  const { status } = ctx.response;
  if (ctx.sourceElement.matches("[data-draft], [data-live]")) return;
  if (status < 400 || status === INVALID) {
    const form = ctx.sourceElement.closest("form[data-keep]");
    if (form) forget(form);
    region().replaceChildren();
    return;
  }
  remember(ctx);
  if (!ctx.text.includes("data-trouble")) ctx.text = fallback("failed");
  ctx.hx = {};
  ctx.target = region();
  ctx.swap = "innerHTML";
  ctx.select = ctx.push = ctx.replace = null;
});

document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (!ctx || ctx.response || ctx.sourceElement.matches("[data-draft], [data-live]")) return;
  remember(ctx);
  region().innerHTML = fallback(navigator.onLine ? "failed" : "offline");
});

document.addEventListener("click", (event) => {
  const pressed = event.target.closest?.(
    "[data-send-again], [data-dismiss], [data-reload], [data-sign-in-again]",
  );
  if (!pressed) return;
  if (pressed.matches("[data-sign-in-again]")) {
    const way = new URL(pressed.href);
    way.searchParams.set("next", location.pathname + location.search);
    pressed.href = way.href;
    return;
  }
  if (pressed.matches("[data-reload]")) {
    location.reload();
    return;
  }
  region().replaceChildren();
  const { source, submitter } = failed ?? {};
  if (!source?.isConnected) return;
  if (pressed.matches("[data-dismiss]")) source.querySelector("[type=submit]")?.focus();
  else if (source.matches("form")) source.requestSubmit(submitter);
  else source.click();
});
