// Swagger UI over our own document: the one script of /docs. What is typed into it is kept nowhere.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";

const place = document.querySelector("[data-spec]");
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);

/** Calls go to the host that this page came from, whatever name the site has in its document. */
function stayHere(request) {
  const { pathname, search } = new URL(request.url, location.href);
  request.url = location.origin + pathname + search;
  return request;
}

follow();
dark.addEventListener("change", follow);
SwaggerUI({
  domNode: place,
  url: place.dataset.spec,
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  requestInterceptor: stayHere,
  onComplete: () => place.setAttribute("data-ready", ""),
});
