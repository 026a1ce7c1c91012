// A button that copies the text of the element that it names, where the browser lets pages copy; elsewhere there is none.
import { whenReady } from "./ready.js";

whenReady("[data-copy]", (button) => {
  if (!navigator.clipboard) return;
  const source = document.getElementById(button.dataset.copy);
  const told = button.parentElement.querySelector("[data-copied]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      told.textContent = "Copied.";
    } catch {
      getSelection().selectAllChildren(source);
      told.textContent = "It is marked: copy it with your keyboard or menu.";
    }
  });
});
