// The keys 1 to 6 choose an option while the focus is somewhere in its step, unless somebody is typing. Elsewhere on the
// page a digit means nothing, so that dictation and slips of a finger choose nothing (WCAG 2.1.4).
import { isTyping } from "./typing.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  if (!/^[1-6]$/.test(event.key)) return;
  const step = event.target.closest?.("[data-keys]");
  const inputs = step?.querySelectorAll("[data-options]:not([disabled]) input") ?? [];
  const chosen = inputs[Number(event.key) - 1];
  if (!chosen) return;
  event.preventDefault();
  chosen.focus();
  chosen.click();
});
