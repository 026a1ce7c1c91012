// Fills the list of time zones with the browser's own, unless somebody has chosen already.
import { whenReady } from "./ready.js";

whenReady("select[data-time-zone]", (select) => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const option = [...select.options].find(({ value }) => value === zone);
  if (option) select.value = zone;
});
