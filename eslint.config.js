// Checks our own scripts: browser code in static/src/js, the build in tools/.
import js from "@eslint/js";
import globals from "globals";

export default [
  js.configs.recommended,
  {
    rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error", "no-eval": "error", "no-console": "error" },
  },
  { files: ["static/src/js/**"], languageOptions: { globals: globals.browser } },
  { files: ["tools/**"], languageOptions: { globals: globals.node } },
];
