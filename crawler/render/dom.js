// The document as it is now, open shadow roots included, and what is drawn on its canvases; of how many it was not
// looked at. MOST: characters.
(() => {
  const roots = [];
  const drawn = [];
  let pixels = 2 ** 23, left = 0;
  const take = (canvas) => {
    const size = canvas.width * canvas.height;
    if (size < 4096) return;
    if (size > pixels || drawn.length >= 50) {
      left++;
      return;
    }
    pixels -= size;
    try {
      const url = canvas.toDataURL();
      if (url.length > 2500 + size / 25) drawn.push(url); // less is one colour
    } catch (e) {} // it holds what another site gave, which was asked for as such
  };
  const look = (node) => {
    for (const e of node.querySelectorAll("*")) {
      if (e instanceof HTMLCanvasElement) take(e);
      if (e.shadowRoot && roots.length < 500) {
        roots.push(e.shadowRoot);
        look(e.shadowRoot);
      }
    }
  };
  if (!document.documentElement) return { text: "", cut: false, drawn, left };
  look(document);
  const text = document.documentElement.getHTML({ shadowRoots: roots });
  const html = document.documentElement.cloneNode(false).outerHTML.replace(/<\/html>\s*$/i, "");
  return { text: "<!DOCTYPE html>" + html + text.slice(0, MOST) + "</html>", cut: text.length > MOST, drawn, left };
})()
