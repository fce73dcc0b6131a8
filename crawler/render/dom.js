// The document as it is now, open shadow roots included. MOST: characters.
(() => {
  const roots = [];
  const look = (node) => {
    for (const e of node.querySelectorAll("*")) {
      if (e.shadowRoot && roots.length < 500) {
        roots.push(e.shadowRoot);
        look(e.shadowRoot);
      }
    }
  };
  if (!document.documentElement) return { text: "", cut: false };
  look(document);
  const text = document.documentElement.getHTML({ shadowRoots: roots });
  const html = document.documentElement.cloneNode(false).outerHTML.replace(/<\/html>\s*$/i, "");
  return { text: "<!DOCTYPE html>" + html + text.slice(0, MOST) + "</html>", cut: text.length > MOST };
})()
