// Colours in blocks of code, by ranges over their text: the markup stays as it
// is, and so does what is copied.
(() => {
  "use strict";
  if (!CSS.highlights) return;
  const hash = String.raw`(?<=^|\s)#.*$`;
  const slashes = String.raw`\/\/.*$`;
  const quoted = String.raw`"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\\n])*'`;
  const languages = {
    bash: [hash, quoted, "curl|export|node|npm|go|python3|pip|read|echo"],
    python: [hash, String.raw`"""[\s\S]*?"""|` + quoted, "import|from|def|return|if|elif|else|for|in|with|as|raise|try|except|while|not|and|or|is|None|True|False"],
    javascript: [slashes, quoted + "|`[^`]*`", "const|let|await|async|import|from|export|new|return|if|else|for|of|function|throw|try|catch"],
    go: [slashes, quoted + "|`[^`]*`", "package|import|func|return|if|else|for|range|var|const|type|struct|map|defer|nil|string|error"],
    json: ["(?!)", quoted, "true|false|null"],
  };
  for (const language in languages) {
    const [comment, string, keyword] = languages[language];
    languages[language] = new RegExp(`(?<comment>${comment})|(?<string>${string})|(?<keyword>(?<![\\w.-])(?:${keyword})(?![\\w-]))|(?<number>(?<![\\w.-])\\d[\\d.]*(?![\\w-]))`, "gm");
  }
  const highlights = {};
  for (const kind of ["comment", "string", "keyword", "number"]) CSS.highlights.set("code-" + kind, (highlights[kind] = new Highlight()));

  function colour(block) {
    const text = block.querySelector("pre code").firstChild;
    const grammar = languages[block.querySelector(".code-bar span").textContent.toLowerCase()];
    if (!grammar || !text || text.length > 100000) return;
    for (const match of text.data.matchAll(grammar)) {
      const kind = Object.keys(match.groups).find((name) => match.groups[name] !== undefined);
      const range = new StaticRange({ startContainer: text, startOffset: match.index, endContainer: text, endOffset: match.index + match[0].length });
      highlights[kind].add(range);
    }
  }

  const seen = new WeakSet();
  document.addEventListener("enhance", () => {
    for (const block of document.querySelectorAll(".code")) {
      if (seen.has(block)) continue;
      seen.add(block);
      colour(block);
    }
  });
})();
