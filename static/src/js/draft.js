// Says quietly beside the buttons whether the half-written answer is kept on the server. htmx does the keeping.

function say(ctx, what) {
  const status = ctx.sourceElement.closest("form")?.querySelector("[data-draft-status]");
  if (status) status.textContent = status.dataset[what];
}

document.addEventListener("htmx:after:request", (event) => {
  const { ctx } = event.detail;
  if (!ctx.sourceElement.matches("[data-draft]")) return;
  const kept = ctx.response.status < 400;
  if (!kept) {
    ctx.failed = true;
    ctx.swap = "none";
  }
  say(ctx, kept ? "saved" : "unsaved");
});

document.addEventListener("htmx:error", (event) => {
  const { ctx } = event.detail;
  if (ctx?.sourceElement.matches("[data-draft]")) say(ctx, "unsaved");
});

addEventListener("online", () => {
  document.querySelector("form:has([data-draft])")?.dispatchEvent(new Event("input", { bubbles: true }));
});
