// A part of a page that looks again by itself ([data-watch], in seconds): not while the page is hidden, not while somebody
// reads a table behind a chart, and not once it was told to pause.
import htmx from "htmx.org";

let paused = false;
let timer = 0;

const watched = () => document.querySelector("[data-watch]");
const button = () => document.querySelector("[data-watch-pause]");

function look() {
  const part = watched();
  if (!part || paused || document.hidden || part.querySelector("details[open]")) return;
  htmx.trigger(part, "look");
}

function begin() {
  clearInterval(timer);
  const part = watched();
  if (!part) return;
  timer = setInterval(look, Number(part.dataset.watch) * 1000);
  if (button()) button().hidden = false;
}

document.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-watch-pause]");
  if (!pressed) return;
  paused = !paused;
  pressed.setAttribute("aria-pressed", String(paused));
  if (!paused) look();
});

document.addEventListener("visibilitychange", look);

begin();
