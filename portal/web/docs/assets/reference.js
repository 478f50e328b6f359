// Shows the API reference in Swagger UI. Calls are tried on a page of their own.

// mend gives names and keyboard access to what Swagger UI leaves without, and
// takes back landmarks that there must be one of on a page.
const mend = (place) => {
  place.querySelector('main#operations')?.setAttribute('role', 'group');
  place.querySelector('main#operations')?.setAttribute('aria-label', 'Calls');
  for (const table of place.querySelectorAll('table[role="region"]')) table.removeAttribute('role');
  for (const text of place.querySelectorAll('pre:not([tabindex])')) text.tabIndex = 0;
  for (const field of place.querySelectorAll('select:not([aria-label]), input:not([aria-label])')) {
    const name = field.closest('[data-param-name]')?.dataset.paramName;
    field.setAttribute('aria-label', name ? `Parameter ${name}` : field.placeholder || 'Media type');
  }
};

window.addEventListener('DOMContentLoaded', () => {
  const place = document.getElementById('reference');
  new MutationObserver(() => mend(place)).observe(place, { childList: true, subtree: true });
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
    syntaxHighlight: { activated: false },
    onComplete: () => place.removeAttribute('aria-busy'),
  });
});
