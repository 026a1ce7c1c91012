// The colours that were chosen hold at once, where the choice was saved without loading the page anew.

document.addEventListener("htmx:after:swap", () => {
  const chosen = document.querySelector("[data-theme-chosen]");
  if (chosen) document.documentElement.dataset.theme = chosen.dataset.themeChosen;
});
