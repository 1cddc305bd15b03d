// A file of its own, not a script in the page: the page's policy allows none there.
"use strict";

SwaggerUIBundle({
  // Beside the folder of this file: the page may be /docs or /docs/, below a proxy's prefix.
  url: new URL("../openapi.json", document.currentScript.src).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // it would send the document's address to a stranger
});
