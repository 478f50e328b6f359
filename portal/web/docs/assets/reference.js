// Shows the API reference in Swagger UI. Calls are tried on a page of their own.
window.addEventListener('DOMContentLoaded', () => {
  const place = document.getElementById('reference');
  window.SwaggerUIBundle({
    url: place.dataset.document,
    domNode: place,
    presets: [window.SwaggerUIBundle.presets.apis],
    layout: 'BaseLayout',
    supportedSubmitMethods: [],
    validatorUrl: null,
    docExpansion: 'none',
    defaultModelsExpandDepth: -1,
    filter: true,
    deepLinking: true,
    onComplete: () => place.removeAttribute('aria-busy'),
  });
});
