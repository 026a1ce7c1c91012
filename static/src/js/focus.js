// After a swap, focus goes to what the control that asked for it names in data-focus-after; the title follows data-title.

document.addEventListener("htmx:config:request", (event) => {
  const { ctx } = event.detail;
  ctx.focusAfter = ctx.sourceElement.dataset?.focusAfter;
});

document.addEventListener("htmx:after:swap", (event) => {
  const { ctx } = event.detail;
  const titled = document.querySelector("[data-title]");
  if (titled && !ctx.failed) document.title = titled.dataset.title;
  if (ctx.request?.headers?.["HX-History-Restore-Request"]) begin();
  if (!ctx.focusAfter || ctx.failed) return;
  const target = document.querySelector(ctx.focusAfter);
  if (!target) return;
  target.focus({ preventScroll: true });
  // A new step begins at its top; a verdict only needs to be in sight.
  target.scrollIntoView({ block: target.matches("h2, h1") ? "center" : "nearest" });
  target.closest("section")?.scrollIntoView({ block: "nearest" });
});

// A form that came back begins at what is wrong with it. The player begins at its step, so that the keys work at once, also
// after the browser's own back and forward. Not when the address names another place (#verdict).
function begin() {
  if (!location.hash) document.querySelector("[data-faults], #step-title")?.focus({ preventScroll: true });
}

begin();
