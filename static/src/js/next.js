// Enter goes on: to the control marked data-next, when the focus is on nothing that Enter belongs to.
import { takesEnter } from "./typing.js";

document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
  if (takesEnter(event.target)) return;
  const next = document.querySelector("[data-next]");
  if (!next) return;
  event.preventDefault();
  next.click();
});
