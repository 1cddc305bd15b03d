// A file of its own, not a script in the page: the page's policy allows none there.
"use strict";

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // it would send the document's address to a stranger
});
