// The keys 1 to 6 choose an option of the question on the page, unless somebody is typing.
import { isTyping } from "./typing.js";

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(event.target)) return;
  if (!/^[1-6]$/.test(event.key)) return;
  const inputs = document.querySelectorAll("[data-options]:not([disabled]) input");
  const chosen = inputs[Number(event.key) - 1];
  if (!chosen) return;
  event.preventDefault();
  chosen.focus();
  chosen.click();
});
