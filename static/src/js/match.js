// A card of the right side can be put to a left side by a click: the one in focus, else the first that has none yet.
import { whenReady } from "./ready.js";

whenReady("[data-match]:not([disabled])", (root) => {
  const selects = [...root.querySelectorAll("select")];
  let current = null;

  const mark = () => {
    const used = new Set(selects.map((select) => select.value));
    for (const card of root.querySelectorAll("[data-right]")) {
      card.toggleAttribute("data-used", used.has(card.dataset.right));
    }
  };

  root.addEventListener("focusin", (event) => {
    if (selects.includes(event.target)) current = event.target;
  });
  root.addEventListener("input", mark);
  root.addEventListener("click", (event) => {
    const card = event.target.closest("[data-right]");
    if (!card) return;
    const select = current ?? selects.find(({ value }) => value === "");
    if (!select) return;
    select.value = card.dataset.right;
    current = null;
    select.dispatchEvent(new Event("input", { bubbles: true }));
  });
  mark();
});
