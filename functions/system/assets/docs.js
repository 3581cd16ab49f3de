// Starts Swagger UI. A file of its own, so that the page needs no inline script.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  // Links to single operations are ReDoc's: those of Swagger UI complain of the underscores in their names.
  deepLinking: false,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  filter: true,
  // The token stays over a reload.
  persistAuthorization: true,
  // No badge from another host.
  validatorUrl: null,
});
